package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/tty"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/vnet/outside"
)

// localOwner owns the racks that are started without a web server.
const localOwner = "local"

type runCmd struct {
	Lab      string `arg:"" help:"A built-in lab (see patchbay lab list), or a folder with a lab.yaml, or one of Kathará or Netkit with a lab.conf."`
	Name     string `help:"What to call the rack (default: the lab's name). A name that is there goes on with its disks."`
	Node     string `help:"Whose console to show (default: the first node's)."`
	NoAttach bool   `help:"Start the lab and return."`

	Uplink []outside.Rule `help:"Let the lab reach this outside, as far as it asks for it; see patchbay serve." placeholder:"RULE"`
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
	if err := c.sayTroubles(ctx, info.Dir, os.Stderr); err != nil {
		return err
	}
	if c.NoAttach {
		fmt.Printf("%s runs. Attach to it with: patchbay attach %s\n", spec.ID, spec.ID)
		return nil
	}
	return attachTerminal(ctx, local, stream, spec.ID, node)
}

// sayTroubles says what a lab asks for of the outside and is not given: nothing in
// the lab would tell.
func (c *runCmd) sayTroubles(ctx context.Context, dir string, out io.Writer) error {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return err
	}
	defer client.Close()
	st, err := client.State(ctx)
	if err != nil {
		return err
	}
	for _, t := range troubles(st, len(c.Uplink) > 0) {
		fmt.Fprintln(out, t)
	}
	return nil
}

// troubles are sentences about uplinks that are not all that the lab asks for.
func troubles(st *rack.State, allowed bool) []string {
	var list []string
	for _, g := range st.Segments {
		switch {
		case g.Uplink == nil || g.Uplink.Trouble == "":
		case !allowed: // whoever reads this is the administrator
			list = append(list, g.Name+": this lab asks for a way to the outside, which it has after patchbay stop and patchbay run --uplink=RULE (patchbay serve --help says what a rule is).")
		default:
			list = append(list, g.Name+": "+g.Uplink.Trouble)
		}
	}
	return list
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
