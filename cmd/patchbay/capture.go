package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

type captureCmd struct {
	Rack   string `arg:"" help:"A rack's id, see patchbay ps."`
	Link   string `arg:"" optional:"" help:"NODE/INTERFACE, a segment, or a node (default: all cables, each frame once)."`
	Filter string `short:"f" help:"Show what matches, as tcpdump takes it." placeholder:"FILTER"`
	Write  string `short:"w" help:"Write pcapng to a file, or - for standard output (the default when that is no terminal)." placeholder:"FILE"`
	Follow bool   `short:"F" help:"Go on with what comes, until Ctrl-C."`
	Count  int    `short:"c" help:"End after so many frames." placeholder:"N"`
}

func (c *captureCmd) Run(ctx context.Context, f *Folders) error {
	info, err := localSpawn(f).Find(ctx, c.Rack)
	if err != nil {
		return err
	}
	if !info.Running {
		return fmt.Errorf("rack %s does not run, and what its cables carried is gone", c.Rack)
	}
	q := &rack.CaptureQuery{Filter: c.Filter, Follow: c.Follow, Count: c.Count}
	if c.Link != "" {
		if q.Links, err = linksOf(&info.Spec.Topology, c.Link); err != nil {
			return err
		}
	}
	client, err := rack.Dial(ctx, info.Dir)
	if err != nil {
		return err
	}
	defer client.Close()
	switch {
	case c.Write != "" && c.Write != "-":
		err = captureToFile(ctx, client, q, c.Write)
	case c.Write == "" && term.IsTerminal(int(os.Stdout.Fd())):
		err = showFrames(ctx, client, q, os.Stdout)
	default:
		err = writeCapture(ctx, client, q, os.Stdout)
	}
	// Ctrl-C is how one stops to look, and so is a reader that has seen enough.
	if ctx.Err() != nil || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// linksOf gives the cables that a person named: a segment's, a node's, or one.
func linksOf(t *labs.Topology, name string) ([]string, error) {
	segment := false
	for _, g := range t.Segments {
		segment = segment || g.Name == name
	}
	var links, all []string
	for _, n := range t.Nodes {
		for _, i := range n.Interfaces {
			if i.Segment == "" {
				continue
			}
			link := n.Name + "/" + i.Name
			all = append(all, link)
			if segment && i.Segment == name || !segment && (n.Name == name || link == name) {
				links = append(links, link)
			}
		}
	}
	if len(links) == 0 {
		return nil, fmt.Errorf("the lab has no cable, segment or node %q: its cables are %s", name, strings.Join(all, ", "))
	}
	return links, nil
}

// showFrames writes a line about each frame.
func showFrames(ctx context.Context, client *rack.Client, q *rack.CaptureQuery, out io.Writer) error {
	w := bufio.NewWriter(out)
	n := 0
	err := client.Frames(ctx, q, func(f *rack.Frame) error {
		n++
		if f.Missed > 0 {
			fmt.Fprintf(w, "… %d frames went by unseen\n", f.Missed)
		}
		_, err := fmt.Fprintln(w, frameLine(f))
		if err == nil && q.Follow {
			err = w.Flush()
		}
		return err
	})
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	if err == nil && n == 0 && !q.Follow {
		fmt.Fprintln(os.Stderr, "No such frame so far. --follow waits for one.")
	}
	return err
}

// frameLine is a frame as tcpdump -i any would tell of it. What was fitting for
// JSON is fitting for a terminal: nothing in it moves the cursor.
func frameLine(f *rack.Frame) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-12s %-3s ", f.Time.Local().Format("15:04:05.000000"), f.Link, f.Direction)
	for _, v := range f.VLAN {
		fmt.Fprintf(&b, "vlan %d, ", v)
	}
	fmt.Fprintf(&b, "%s > %s %s, %d bytes: %s", f.Src, f.Dst, f.Protocol, f.Length, f.Info)
	if f.Fate != "delivered" {
		fmt.Fprintf(&b, " [%s]", f.Fate)
	}
	return b.String()
}

func captureToFile(ctx context.Context, client *rack.Client, q *rack.CaptureQuery, name string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return writeCapture(ctx, client, q, f)
}

// writeCapture passes a pcapng file on, in whole blocks: one that is ended by
// Ctrl-C is as good as any.
func writeCapture(ctx context.Context, client *rack.Client, q *rack.CaptureQuery, out io.Writer) error {
	body, err := client.Capture(ctx, q)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := copyBlocks(out, body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	return nil
}

// maxBlock is far beyond a frame of 64 KiB with its comments.
const maxBlock = 1 << 20

// copyBlocks copies a little-endian pcapng file block by block, each at once.
func copyBlocks(w io.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	out := bufio.NewWriterSize(w, 64<<10)
	block := make([]byte, 0, 64<<10)
	for {
		if in.Buffered() < 8 { // about to wait
			if err := out.Flush(); err != nil {
				return err
			}
		}
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return out.Flush()
			}
			return errors.Join(err, out.Flush())
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if n < 12 || n > maxBlock || n%4 != 0 {
			return errors.Join(fmt.Errorf("a block of %d bytes cannot be", n), out.Flush())
		}
		block = append(block[:0], head[:]...)
		block = append(block, make([]byte, n-8)...)
		if in.Buffered() < len(block)-8 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(in, block[8:]); err != nil {
			return errors.Join(err, out.Flush())
		}
		if _, err := out.Write(block); err != nil {
			return err
		}
	}
}

// lookWithin bounds how long a rack may take to say how it is.
const lookWithin = 5 * time.Second
