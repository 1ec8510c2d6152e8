#!/usr/bin/env bash
# Writes runtime/src/config/envoy-api.binpb from the Go modules that Envoy's maintainers publish.
# Needs Go and a network. Run it by hand when the Envoy version that we follow changes.
set -euo pipefail

api=github.com/envoyproxy/go-control-plane/envoy
api_version=v1.40.0
# The contrib module has no release for this version: the commit that the API's release was cut at.
contrib=github.com/envoyproxy/go-control-plane/contrib
contrib_version=v1.36.1-0.20260729145720-a2d8c7492908

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(cd "$here/../../src/config" && pwd)/envoy-api.binpb
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

cp "$here/main.go" "$build/"
cd "$build"
go mod init headgate-envoy-descriptors
go get "$api@$api_version" "$contrib@$contrib_version" google.golang.org/protobuf

# A proto file is known to a Go program when its package is imported: import all of them, without
# the packages of Envoy's retired v1 and v2 APIs.
packages() {
  local module=$1 folder
  folder=$(go list -m -f '{{.Dir}}' "$module")
  (cd "$folder" && find . -name '*.pb.go' -printf '%h\n') | sort -u |
    grep -vE '/(v1|v1alpha1|v2|v2alpha|v2alpha1|api|cluster/redis)(/|$)' |
    sed "s#^\./#$module/#"
}
{
  echo 'package main'
  echo 'import ('
  # udpa's TypedStruct is in nobody's imports but is written in configurations.
  { packages "$api"; packages "$contrib"; echo github.com/cncf/xds/go/udpa/type/v1; } |
    sed 's#.*#\t_ "&"#'
  echo ')'
} > imports.go

go mod tidy
go run . "$target"
