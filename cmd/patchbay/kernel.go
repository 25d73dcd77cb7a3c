package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/patchbay/patchbay/guest/build"
	"github.com/patchbay/patchbay/guest/kernel"
)

type kernelCmd struct {
	Build kernelBuildCmd `cmd:"" help:"Build a kernel, unless the cache has it."`
	List  kernelListCmd  `cmd:"" help:"List the kernels in the cache."`
}

type kernelBuildCmd struct {
	Name   string `arg:"" optional:"" help:"What to build: nothing for Patchbay's own, debian-6.1 for Debian's packaged one."`
	Update bool   `help:"Ask the mirror for a newer version even if the cache has one."`
	Jobs   int    `short:"j" help:"Compilers at once (default: one per CPU)."`
}

func (c *kernelBuildCmd) Run(ctx context.Context, f *Folders) error {
	progress, end := build.Printer(os.Stderr, "kernel")
	k, err := kernel.Build(ctx, kernel.Options{Cache: f.Cache, Name: c.Name, Update: c.Update, Jobs: c.Jobs}, progress)
	end()
	if err != nil {
		return fmt.Errorf("building the kernel: %w", err)
	}
	fmt.Println(k.Path)
	return nil
}

type kernelListCmd struct{}

func (c *kernelListCmd) Run(f *Folders) error {
	all, err := kernel.List(f.Cache)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return &kernel.NotFoundError{Cache: f.Cache}
	}
	standard, _ := kernel.Find(f.Cache, "")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tLINUX\tSECCOMP\tOFFLOAD\tMODULES\tBUILT\tFROM\t")
	for _, k := range all {
		name := k.Name
		if k.Name == standard.Name {
			name += " (default)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, k.Version, yes(k.Seccomp), yes(k.Offload), yes(k.Modules != ""), k.Built.Local().Format("2006-01-02 15:04"), k.Package)
	}
	return w.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
