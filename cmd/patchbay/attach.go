package main

import (
	"context"
	"fmt"
)

type attachCmd struct {
	Rack string `arg:"" help:"A rack's id, see patchbay ps."`
	Node string `arg:"" optional:"" help:"Whose console to show (default: the first node's)."`
}

func (c *attachCmd) Run(ctx context.Context, f *Folders) error {
	local := localSpawn(f)
	info, err := local.Find(ctx, c.Rack)
	if err != nil {
		return err
	}
	if !info.Running {
		return fmt.Errorf("rack %s does not run", c.Rack)
	}
	stream, err := openStream(ctx, info.Dir)
	if err != nil {
		return err
	}
	defer stream.Close()
	node := c.Node
	if node == "" {
		node = info.Spec.Topology.Nodes[0].Name
	}
	return attachTerminal(ctx, local, stream, c.Rack, node)
}
