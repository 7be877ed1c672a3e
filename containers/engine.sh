# Sourced by the scripts beside it: which container engine this machine has. No engine of its own is started.
# Sets $builder (docker, buildah or podman) and $runner (docker or podman, or nothing).

# The isolation that works without privileges and inside other containers.
export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"

builder="" runner=""
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  builder=docker runner=docker
else
  if command -v buildah >/dev/null; then builder=buildah; fi
  if command -v podman >/dev/null; then runner=podman; fi
fi

# debian_architecture x86|arm64 -> what Debian and OCI call it
debian_architecture() {
  case "$1" in
    x86) echo amd64 ;;
    arm64) echo arm64 ;;
    *) echo "unknown architecture '$1': x86 or arm64" >&2; return 2 ;;
  esac
}

need_builder() {
  if [ -z "$builder" ]; then
    echo "Neither a running docker nor buildah is here; on Debian and Ubuntu: apt-get install buildah" >&2
    exit 1
  fi
}
