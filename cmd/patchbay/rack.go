package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/labs/rack"
)

// rackCmd is the process of one rack. labs/spawn executes it; nobody types it.
type rackCmd struct {
	Dir     string `required:"" help:"The rack's folder." type:"path"`
	ReadyFD int    `name:"ready-fd" help:"A descriptor to write one byte to when the API answers."`
}

func (c *rackCmd) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("rack", filepath.Base(c.Dir))
	return rack.Serve(ctx, rack.Options{Dir: c.Dir, Log: log}, func() {
		if c.ReadyFD <= 0 {
			return
		}
		f := os.NewFile(uintptr(c.ReadyFD), "ready")
		defer f.Close()
		if _, err := f.Write([]byte{1}); err != nil {
			log.Warn("nobody waits for this rack", "err", err)
		}
	})
}
