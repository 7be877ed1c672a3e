#!/usr/bin/env bash
# Read a PDF page by page with curl: each page is printed as soon as it is read.
#
#   examples/pdf.sh http://localhost:8000 contract.pdf
#
# A document may have more pages than the service reads in one request (OCRSVC_MAX_PAGES): pages=N asks for one.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: $0 URL FILE" >&2
  exit 2
fi
url="${1%/}/api/ocr?format=text"
file=$2
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The header with the key, for a service that asks for one; not an argument, which other users could see.
key() { [ -z "${API_KEY:-}" ] || printf 'Authorization: Bearer %s\n' "$API_KEY"; }

page=1
while :; do
  status=$(curl --silent --show-error --max-time 120 --header @<(key) --output "$answer" --write-out '%{http_code}' \
    --data-binary @- --header 'Content-Type: application/octet-stream' "$url&pages=$page" < "$file") || exit 1
  if [ "$status" != 200 ]; then
    # A page beyond the last one is a problem with the member page_count: here it is the end of the document.
    count=$(sed -nE 's/.*"page_count": ([0-9]+).*/\1/p' "$answer")
    if [ -n "$count" ] && [ "$page" -gt "$count" ]; then
      exit 0
    fi
    member() { sed -nE 's/.*"'"$1"'": "(([^"\\]|\\.)*)".*/\1/p' "$answer"; }
    echo "$file: $(member title) ($status): $(member detail)" >&2
    exit 1
  fi
  echo "--- page $page"
  cat "$answer"
  page=$((page + 1))
done
