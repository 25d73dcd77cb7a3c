package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// rackCmd is the process of one rack. labs/spawn executes it; nobody types it.
type rackCmd struct {
	Dir     string `required:"" help:"The rack's folder." type:"path"`
	ReadyFD int    `name:"ready-fd" required:"" help:"A pipe's descriptor, to say how the start went."`
}

func (c *rackCmd) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("rack", filepath.Base(c.Dir))
	return spawn.Report(os.NewFile(uintptr(c.ReadyFD), "ready"), func(ready func()) error {
		return rack.Serve(ctx, rack.Options{Dir: c.Dir, Log: log}, ready)
	})
}
