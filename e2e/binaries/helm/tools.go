//go:build tools

// Package helm pins helm apart from the programs of a cluster: it is built with a newer Kubernetes than they are.
package helm

import _ "helm.sh/helm/v4/cmd/helm"
