// Command envoy-descriptors writes one google.protobuf.FileDescriptorSet with every proto file that
// is linked into it: each file after the files it imports, without comments and source positions.
// generate.sh links Envoy's API into it and says where the result goes.
package main

import (
	"fmt"
	"os"
	"sort"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// collector orders files so that a reader never meets an import before the file itself.
type collector struct {
	done map[string]bool
	set  descriptorpb.FileDescriptorSet
}

func (c *collector) add(file protoreflect.FileDescriptor) {
	// A placeholder stands for an import whose Go package is not linked in.
	if file.IsPlaceholder() || c.done[file.Path()] {
		return
	}
	c.done[file.Path()] = true
	for i := range file.Imports().Len() {
		c.add(file.Imports().Get(i).FileDescriptor)
	}
	c.set.File = append(c.set.File, protodesc.ToFileDescriptorProto(file))
}

func run(path string) error {
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	// The registry has no order of its own; sorted names make the result the same on every run.
	sort.Slice(files, func(i, j int) bool { return files[i].Path() < files[j].Path() })
	c := collector{done: map[string]bool{}}
	for _, file := range files {
		c.add(file)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(&c.set)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d proto files, %d bytes\n", path, len(c.set.File), len(bytes))
	return os.WriteFile(path, bytes, 0o644)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: envoy-descriptors FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
