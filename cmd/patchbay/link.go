package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/vnet/impair"
)

type linkCmd struct {
	Rack  string `arg:"" help:"A rack's id, see patchbay ps."`
	Place string `arg:"" optional:"" help:"A node, NODE/INTERFACE, or a segment. Without it, and without flags, all cables are shown."`
	Iface string `arg:"" optional:"" name:"interface" help:"An interface of the node."`

	Cut     bool `help:"Take the cable out." xor:"what"`
	Restore bool `help:"Put the cable in again." xor:"what"`
	Perfect bool `help:"Do nothing to frames any more." xor:"what"`

	Delay        string `help:"How long a frame takes, such as 20ms." placeholder:"TIME"`
	Jitter       string `help:"How far that spreads." placeholder:"TIME"`
	Distribution string `help:"How: uniform, normal or pareto." placeholder:"NAME"`
	Loss         string `help:"Share of frames lost, such as 1%." placeholder:"SHARE"`
	Duplicate    string `help:"Share that arrives twice." placeholder:"SHARE"`
	Reorder      string `help:"Share that overtakes others." placeholder:"SHARE"`
	Corrupt      string `help:"Share with a bit inverted." placeholder:"SHARE"`
	Rate         string `help:"Bits a second, such as 10M." placeholder:"RATE"`
	Queue        int    `help:"How many frames may wait for the rate." placeholder:"FRAMES"`
	Direction    string `help:"Impair what the node sends (out) or gets (in) alone." enum:"out,in,both" default:"both"`
}

// Help is shown below the flags.
func (*linkCmd) Help() string {
	return `An impairment replaces the one before as a whole. On a segment each frame meets it once.

  patchbay link two-hosts                              shows what each cable does
  patchbay link two-hosts lan --delay 20ms --loss 1%
  patchbay link two-hosts pc1 eth0 --rate 1M --direction out
  patchbay link two-hosts pc1/eth0 --cut`
}

func (c *linkCmd) Run(ctx context.Context, f *Folders) error {
	info, err := localSpawn(f).Find(ctx, c.Rack)
	if err != nil {
		return err
	}
	if !info.Running {
		return fmt.Errorf("rack %s does not run", c.Rack)
	}
	op, err := c.op(&info.Spec.Topology)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	if op != nil {
		if err := doOp(ctx, info, *op); err != nil {
			return err
		}
	}
	return c.show(ctx, info, os.Stdout)
}

func doOp(ctx context.Context, info *spawn.Info, op rack.Op) error {
	client, err := rack.Dial(ctx, info.Dir)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, op)
}

// op is what was asked for; nil only shows.
func (c *linkCmd) op(t *labs.Topology) (*rack.Op, error) {
	config, given, err := c.impairment()
	if err != nil {
		return nil, err
	}
	asked := c.Cut || c.Restore || c.Perfect || given
	switch {
	case c.Place == "" && asked:
		return nil, errors.New("say which cable: a node and an interface, or a segment")
	case given && (c.Cut || c.Restore || c.Perfect):
		return nil, errors.New("--cut, --restore and --perfect go with nothing else")
	}
	if c.Place == "" {
		return nil, nil
	}
	op, err := placeOf(t, c.Place, c.Iface)
	if err != nil || !asked {
		return nil, err
	}
	switch {
	case c.Cut:
		op.Do = "cut"
	case c.Restore:
		op.Do = "restore"
	default:
		op.Do, op.Impair = "impair", config
		if c.Direction != "both" {
			op.Direction = rack.Direction(c.Direction)
		}
	}
	return op, nil
}

// placeOf finds out whether a person named a segment, a node or a cable.
func placeOf(t *labs.Topology, place, iface string) (*rack.Op, error) {
	if node, i, both := strings.Cut(place, "/"); both && iface == "" {
		place, iface = node, i
	}
	for _, n := range t.Nodes {
		if n.Name == place {
			return &rack.Op{Node: place, Interface: iface}, nil
		}
	}
	for _, g := range t.Segments {
		if g.Name == place && iface == "" {
			return &rack.Op{Segment: place}, nil
		}
	}
	var names []string
	for _, n := range t.Nodes {
		names = append(names, n.Name)
	}
	for _, g := range t.Segments {
		names = append(names, g.Name)
	}
	return nil, fmt.Errorf("the lab has no node or segment %q: there are %s", place, strings.Join(names, ", "))
}

// impairment is what the flags say, and whether they say anything.
func (c *linkCmd) impairment() (*impair.Config, bool, error) {
	config := &impair.Config{Distribution: impair.Distribution(c.Distribution), Queue: c.Queue}
	given := c.Distribution != "" || c.Queue != 0
	var errs []error
	for _, f := range []struct {
		flag, text string
		to         *time.Duration
	}{{"delay", c.Delay, &config.Delay}, {"jitter", c.Jitter, &config.Jitter}} {
		if f.text != "" {
			given = true
			errs = append(errs, parseFlag(f.flag, f.text, f.to, labs.ParseDuration))
		}
	}
	for _, f := range []struct {
		flag, text string
		to         *float64
	}{{"loss", c.Loss, &config.Loss}, {"duplicate", c.Duplicate, &config.Duplicate}, {"reorder", c.Reorder, &config.Reorder}, {"corrupt", c.Corrupt, &config.Corrupt}} {
		if f.text != "" {
			given = true
			errs = append(errs, parseFlag(f.flag, f.text, f.to, impair.ParseShare))
		}
	}
	if c.Rate != "" {
		given = true
		errs = append(errs, parseFlag("rate", c.Rate, &config.Rate, impair.ParseRate))
	}
	return config, given, errors.Join(errs...)
}

func parseFlag[T any](flag, text string, to *T, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	*to = v
	return nil
}

// show tells what cables do now.
func (c *linkCmd) show(ctx context.Context, info *spawn.Info, out io.Writer) error {
	client, err := rack.Dial(ctx, info.Dir)
	if err != nil {
		return err
	}
	defer client.Close()
	state, err := client.State(ctx)
	if err != nil {
		return err
	}
	var only []string
	if c.Place != "" {
		place := c.Place
		if c.Iface != "" {
			place += "/" + c.Iface
		}
		if only, err = linksOf(&info.Spec.Topology, place); err != nil {
			return err
		}
	}
	return showLinks(out, state, only)
}

func showLinks(out io.Writer, state *rack.State, only []string) error {
	shown := map[string]bool{}
	for _, l := range only {
		shown[l] = true
	}
	interfaces := map[string]rack.InterfaceState{}
	for _, n := range state.Nodes {
		for _, i := range n.Interfaces {
			interfaces[n.Name+"/"+i.Name] = i
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CABLE\tSEGMENT\tSTATE\tOUT\tIN\tSENT\tGOT\tLOST\tDROPPED\t")
	for _, g := range state.Segments {
		for _, p := range g.Ports {
			link := p.Node + "/" + p.Interface
			if only != nil && !shown[link] {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t\n", link, g.Name, cableState(interfaces[link]),
				impairWords(p.Out), impairWords(p.In), p.TxFrames, p.RxFrames, p.Lost, p.Drops)
		}
		if g.Loop != nil {
			fmt.Fprintf(os.Stderr, "%s: a loop is flooding this segment; take out one of %s.\n", g.Name, strings.Join(g.Loop.Ports, ", "))
		}
	}
	return w.Flush()
}

func cableState(i rack.InterfaceState) string {
	switch {
	case !i.Plugged:
		return "cut"
	case !i.Carrier:
		return "no carrier"
	case !i.Up:
		return "down"
	}
	return "up"
}

// impairWords is an impairment in the flags' words.
func impairWords(c *impair.Config) string {
	if c == nil {
		return "-"
	}
	var words []string
	say := func(name, value string, given bool) {
		if given {
			words = append(words, name+" "+value)
		}
	}
	share := func(f float64) string { return fmt.Sprintf("%.4g%%", 100*f) }
	say("delay", c.Delay.String(), c.Delay > 0)
	say("jitter", c.Jitter.String(), c.Jitter > 0)
	say("loss", share(c.Loss), c.Loss > 0)
	say("burst", "loss", c.Burst != nil)
	say("duplicate", share(c.Duplicate), c.Duplicate > 0)
	say("reorder", share(c.Reorder), c.Reorder > 0)
	say("corrupt", share(c.Corrupt), c.Corrupt > 0)
	say("rate", impair.FormatRate(c.Rate), c.Rate > 0)
	return strings.Join(words, " ")
}
