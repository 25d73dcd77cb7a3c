package main

import (
	"context"
	"fmt"
)

type stopCmd struct {
	Rack   string `arg:"" help:"A rack's id, see patchbay ps."`
	Remove bool   `help:"Throw its disks away as well."`
}

func (c *stopCmd) Run(ctx context.Context, f *Folders) error {
	local := localSpawn(f)
	if c.Remove {
		if err := local.Remove(ctx, c.Rack); err != nil {
			return err
		}
		fmt.Printf("%s is gone.\n", c.Rack)
		return nil
	}
	if err := local.Stop(ctx, c.Rack); err != nil {
		return err
	}
	fmt.Printf("%s has stopped; its disks are kept.\n", c.Rack)
	return nil
}
