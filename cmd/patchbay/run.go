package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/tty"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/vnet/uplink"
)

// localOwner owns the racks that are started without a web server.
const localOwner = "local"

type runCmd struct {
	Lab      string `arg:"" help:"A built-in lab (see patchbay lab list), or a folder with a lab.yaml."`
	Name     string `help:"What to call the rack (default: the lab's name). A name that is there goes on with its disks."`
	Node     string `help:"Whose console to show (default: the first node's)."`
	NoAttach bool   `help:"Start the lab and return."`

	Uplink []uplink.Rule `help:"Let the lab reach this outside, as far as it asks for it; see patchbay serve." placeholder:"RULE"`
}

func (c *runCmd) Run(ctx context.Context, f *Folders) error {
	lab, err := findLab(c.Lab)
	if err != nil {
		return err
	}
	spec := rack.Spec{
		ID: c.Name, Owner: localOwner, LabSlug: lab.Slug, Title: lab.Title, Topology: lab.Topology,
		Uplink: c.Uplink,
	}
	if spec.ID == "" {
		spec.ID = strings.TrimRight(lab.Slug[:min(len(lab.Slug), 32)], "-")
	}
	node := c.Node
	if node == "" {
		node = lab.Topology.Nodes[0].Name
	}
	local := localSpawn(f)
	switch old, err := local.Find(ctx, spec.ID); {
	case errors.Is(err, spawn.ErrNotFound):
	case err != nil:
		return err
	case old.Spec.Owner != localOwner || old.Spec.LabSlug != lab.Slug:
		return fmt.Errorf("the name %s is taken by lab %s of %s: choose another with --name", spec.ID, old.Spec.LabSlug, old.Spec.Owner)
	}
	info, err := local.Start(ctx, spec)
	if err != nil {
		return err
	}
	stream, err := openStream(ctx, info.Dir)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := showStart(ctx, stream, node); err != nil {
		return err
	}
	if c.NoAttach {
		fmt.Printf("%s runs. Attach to it with: patchbay attach %s\n", spec.ID, spec.ID)
		return nil
	}
	return attachTerminal(ctx, local, stream, spec.ID, node)
}

// localSpawn runs racks on this machine, as serve does, and sees serve's.
func localSpawn(f *Folders) *spawn.Local {
	return &spawn.Local{State: f.State, Cache: f.Cache}
}

func openStream(ctx context.Context, dir string) (*rack.Stream, error) {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Stream(ctx, rack.Owner)
}

// showStart tells how the nodes come up, and waits until each has or has not.
// It fails when node, if one is named, did not.
func showStart(ctx context.Context, stream *rack.Stream, node string) error {
	told := map[string]bool{}
	var failure error
	found := false
	err := stream.Watch(ctx, func(s *rack.State) bool {
		for _, n := range s.Nodes {
			if n.Name == node {
				found = true
			}
			if told[n.Name] {
				continue
			}
			switch n.Status {
			case rack.Running:
				fmt.Fprintf(os.Stderr, "%-16s running, after %v\n", n.Name, time.Duration(n.BootMillis)*time.Millisecond)
			case rack.Failed:
				fmt.Fprintf(os.Stderr, "%-16s failed: %s\n", n.Name, n.Reason)
				if n.Name == node {
					failure = fmt.Errorf("%s did not start: %s", node, n.Reason)
				}
			default:
				continue
			}
			told[n.Name] = true
		}
		return s.Status != rack.Starting
	})
	if err != nil {
		return fmt.Errorf("waiting for the nodes: %w", err)
	}
	if !found && node != "" {
		return fmt.Errorf("the lab has no node %q", node)
	}
	return failure
}

// attachTerminal shows a console until the person leaves or the rack ends.
func attachTerminal(ctx context.Context, local *spawn.Local, stream *rack.Stream, id, node string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		fmt.Fprintf(os.Stderr, "No terminal here: passing bytes to and from %s's console.\n", node)
		return tty.Copy(ctx, stream, node, os.Stdin, os.Stdout, time.Second)
	}
	fmt.Fprintln(os.Stderr, "Ctrl-] opens the menu.")
	outcome, err := tty.Attach(ctx, stream, node, os.Stdin, os.Stdout)
	if err != nil {
		return err
	}
	switch outcome {
	case tty.Detached:
		fmt.Printf("%s runs on. Come back with: patchbay attach %s. End it with: patchbay stop %s\n", id, id, id)
	case tty.Stopped:
		// The guests are gone, the rack's process is about to be: what is said
		// next holds for whoever starts it again at once, too.
		if err := local.Stop(ctx, id); err != nil {
			return err
		}
		fmt.Printf("%s has stopped; its disks are kept.\n", id)
	case tty.Ended:
		fmt.Printf("%s has ended.\n", id)
	}
	return nil
}
