package engine

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

const (
	pcapBytes  = 36 << 10 // of frames; each takes some more in the file
	pcapFrames = 200
)

// failed is the verdict of what was not so.
func failed(format string, args ...any) verdict {
	return verdict{seen: printable(fmt.Sprintf(format, args...))}
}

// passed is the verdict of what was.
func passed(format string, args ...any) verdict {
	return verdict{ok: true, seen: printable(fmt.Sprintf(format, args...))}
}

// blame makes a verdict of what a probe says went wrong; the error remains
// where it is ours, or where the lab is so that nothing can be said of it.
func blame(err error) (verdict, error) {
	if probe.Ours(err) {
		return verdict{}, err
	}
	return failed("%v", err), nil
}

// printable makes a sentence of what may be a student's text.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

// quote shortens a text for a sentence.
func quote(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// probeFrames is the evidence of a check by a probe: the frames to and from it
// since a time.
func probeFrames(ctx context.Context, t Target, h *probe.Host, from time.Time) []grade.Evidence {
	exprs := []string{"ether host " + h.MAC().String()}
	for _, a := range h.Addresses() {
		exprs = append(exprs, "host "+a.Addr().String())
	}
	f, err := filter.Compile(strings.Join(exprs, " or "))
	if err != nil {
		return nil
	}
	return frames(ctx, t, record.Query{Filter: f, From: from, Once: true})
}

// frames writes frames of the recording as evidence, those that fit. Evidence
// that cannot be had changes no verdict.
func frames(ctx context.Context, t Target, q record.Query) []grade.Evidence {
	q.To, q.Follow = time.Now(), false
	var buf bytes.Buffer
	if err := record.WritePcapng(ctx, &buf, t.Ring(), q, record.Limit{Frames: pcapFrames, Bytes: pcapBytes}); err != nil || buf.Len() > maxEvidence {
		return nil
	}
	return []grade.Evidence{{Name: "frames.pcapng", Type: "application/x-pcapng", Data: buf.Bytes()}}
}

// textEvidence keeps a text, as much of it as may be.
func textEvidence(name string, data []byte) grade.Evidence {
	e := grade.Evidence{Name: name, Type: "text/plain", Data: data}
	if len(data) > maxEvidence {
		e.Data, e.Cut = data[:maxEvidence], true
	}
	return e
}

// portsOf are the switch's ports of NODE or NODE/INTERFACE, each with the
// address that its interface was given.
func portsOf(t Target, place string) map[string]string {
	ports := map[string]string{}
	node, iface := grade.NodeOf(place)
	for _, n := range t.Topology().Nodes {
		if n.Name != node {
			continue
		}
		for _, f := range n.Interfaces {
			if iface == "" || f.Name == iface {
				ports[t.Port(n.Name, f.Name)] = plainMAC(t.MAC(n.Name, f.Name))
			}
		}
	}
	return ports
}

func plainMAC(s string) string {
	if hw, err := net.ParseMAC(s); err == nil {
		return hw.String()
	}
	return s
}

// segmentPorts are the ports of the lab's own interfaces on a segment.
func segmentPorts(t Target, segment string) (ports []string) {
	for _, n := range t.Topology().Nodes {
		for _, f := range n.Interfaces {
			if f.Segment == segment {
				ports = append(ports, t.Port(n.Name, f.Name))
			}
		}
	}
	return ports
}

// macOwner says whose interface has an address, for a sentence.
func macOwner(t Target, mac string) string {
	for _, n := range t.Topology().Nodes {
		for _, f := range n.Interfaces {
			if plainMAC(t.MAC(n.Name, f.Name)) == mac {
				return mac + " (" + n.Name + "/" + f.Name + ")"
			}
		}
	}
	return mac + " (no interface of the lab)"
}

func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
