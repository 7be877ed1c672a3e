#!/usr/bin/env bash
# Send one picture or PDF to the service with curl and print its text.
#
#   examples/read.sh http://localhost:8000 receipt.jpg            a form with the file in it
#   examples/read.sh http://localhost:8000 receipt.jpg raw        the file is the body
#   examples/read.sh http://localhost:8000 receipt.jpg base64     JSON; a third more bytes
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 URL FILE [multipart|raw|base64]" >&2
  exit 2
fi
url="${1%/}/api/ocr?format=text"
file=$2
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The header with the key, for a service that asks for one; not an argument, which other users could see.
key() { [ -z "${API_KEY:-}" ] || printf 'Authorization: Bearer %s\n' "$API_KEY"; }

# Send standard input; the body of the answer goes to $answer, its status is printed.
post() {
  curl --silent --show-error --max-time 120 --header @<(key) --output "$answer" --write-out '%{http_code}' "$@" "$url"
}

as_json() {
  printf '{"image": "'
  base64 | tr -d '\n'
  printf '"}'
}

case "${3:-multipart}" in
  multipart) status=$(post --form image=@- < "$file") || exit 1 ;;
  raw) status=$(post --data-binary @- --header 'Content-Type: application/octet-stream' < "$file") || exit 1 ;;
  base64) status=$(as_json < "$file" | post --data-binary @- --header 'Content-Type: application/json') || exit 1 ;;
  *) echo "$0: there is no way to send a file called $3" >&2; exit 2 ;;
esac

if [ "$status" != 200 ]; then
  # A problem document (RFC 9457): {"title": "...", "status": 422, "detail": "...", ...}
  member() { sed -nE 's/.*"'"$1"'": "(([^"\\]|\\.)*)".*/\1/p' "$answer"; }
  echo "$file: $(member title) ($status): $(member detail)" >&2
  exit 1
fi
cat "$answer"
