package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// rackCmd is the process of one rack. labs/spawn executes it; nobody types it.
type rackCmd struct {
	Dir     string `required:"" help:"The rack's folder." type:"path"`
	ReadyFD int    `name:"ready-fd" required:"" help:"A pipe's descriptor, to say how the start went."`
	TieFD   int    `name:"tie-fd" help:"A pipe's descriptor: with its end the rack ends, and its folder goes."`
}

// tied makes a file of the pipe that can be closed while it is read.
func tied(fd int) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("taking the pipe that the rack is tied to: %w", err)
	}
	return os.NewFile(uintptr(fd), "tie"), nil
}

func (c *rackCmd) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("rack", filepath.Base(c.Dir))
	return spawn.Report(os.NewFile(uintptr(c.ReadyFD), "ready"), func(ready func()) error {
		serve := func(ctx context.Context) error { return rack.Serve(ctx, rack.Options{Dir: c.Dir, Log: log}, ready) }
		if c.TieFD == 0 {
			return serve(ctx)
		}
		tie, err := tied(c.TieFD)
		if err != nil {
			return err
		}
		return spawn.Tied(ctx, tie, c.Dir, serve)
	})
}
