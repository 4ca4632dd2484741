// Command etcd is etcd's own server, built here so that one module gives every binary of a cluster.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
