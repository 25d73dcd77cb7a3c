package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

type psCmd struct{}

func (c *psCmd) Run(ctx context.Context, f *Folders) error {
	local := localSpawn(f)
	all, err := local.List(ctx)
	if len(all) == 0 {
		if err == nil {
			fmt.Println("No racks. Start one with: patchbay run two-hosts")
		}
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RACK\tLAB\tOWNER\tNODES RUNNING\tSINCE\t")
	for _, info := range all {
		nodes, since := describeRack(ctx, info)
		if runs, err := local.Runs(ctx, info.Spec.ID); err == nil && !runs {
			info.Running = false // it ended while it was asked
			nodes, since = describeRack(ctx, info)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", info.Spec.ID, info.Spec.LabSlug, info.Spec.Owner, nodes, since)
	}
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// describeRack asks a rack how it does; one that hangs is not waited for long.
func describeRack(ctx context.Context, info *spawn.Info) (nodes, since string) {
	if !info.Running {
		return fmt.Sprintf("0 of %d", len(info.Spec.Topology.Nodes)), "stopped"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client, err := rack.Dial(ctx, info.Dir)
	if err != nil {
		return "?", "does not answer"
	}
	defer client.Close()
	state, err := client.State(ctx)
	if err != nil {
		return "?", "does not answer"
	}
	running := 0
	for _, n := range state.Nodes {
		if n.Status == rack.Running {
			running++
		}
	}
	return fmt.Sprintf("%d of %d", running, len(state.Nodes)), state.Started.Local().Format("2006-01-02 15:04")
}
