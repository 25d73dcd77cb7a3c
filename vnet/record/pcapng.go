package record

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Limit ends a capture file early. The zero Limit does not.
type Limit struct {
	Frames int
	Bytes  int64 // of frames; the file is somewhat longer
}

// WritePcapng writes what a Query asks for as a pcapng file that Wireshark,
// tshark and tcpdump read: an interface for each port, with its segment as the
// description; times in nanoseconds; for each frame its direction, and a comment
// when it did not arrive, or when records were missed before it; at the end the
// interfaces' statistics, where "dropped" is what the guest did not take in
// time.
//
// When the Query follows, what there is is handed to w at once, and if w has a
// Flush method, as an http.ResponseWriter behind http.NewResponseController
// or a bufio.Writer has, that is called. WritePcapng returns nil when the Query or the
// Limit is reached and when ctx ends, after it has completed the file, and
// otherwise what w returned.
func WritePcapng(ctx context.Context, w io.Writer, r *Ring, q Query, l Limit) error {
	f := pcapng{out: bufio.NewWriterSize(w, 64<<10), flush: flusher(w), q: q, r: r, ids: map[[2]string]int{}}
	for _, p := range r.Ports() {
		if q.asks(p) {
			if _, err := f.iface(p); err != nil {
				return err
			}
		}
	}
	rd := r.Reader(q)
	if q.Follow {
		if err := f.push(); err != nil { // so that the other side sees that it works
			return err
		}
	}
	for {
		frames, err := rd.Batch(ctx)
		if err != nil {
			if err != io.EOF && ctx.Err() == nil {
				return err
			}
			return f.end()
		}
		for _, fr := range frames {
			if l.Frames > 0 && f.frames >= l.Frames || l.Bytes > 0 && f.bytes >= l.Bytes {
				return f.end()
			}
			if err := f.write(fr); err != nil {
				return err
			}
		}
		if l.Frames > 0 && f.frames >= l.Frames || l.Bytes > 0 && f.bytes >= l.Bytes {
			return f.end()
		}
		if q.Follow {
			if err := f.push(); err != nil {
				return err
			}
		}
	}
}

// flusher is w's Flush, if it has one.
func flusher(w io.Writer) func() error {
	switch w := w.(type) {
	case interface{ FlushError() error }:
		return w.FlushError
	case interface{ Flush() error }:
		return w.Flush
	case interface{ Flush() }:
		return func() error { w.Flush(); return nil }
	}
	return func() error { return nil }
}

// pcapng is a file being written.
type pcapng struct {
	out   *bufio.Writer
	flush func() error
	w     *pcapgo.NgWriter // nil before the first interface
	r     *Ring
	q     Query

	ids    map[[2]string]int // interfaces by port name and segment
	stats  []ifaceStats
	frames int
	bytes  int64
}

type ifaceStats struct {
	frames, dropped uint64
	first, last     time.Time
}

// iface is the interface of a port, made when there is none.
func (f *pcapng) iface(p Port) (int, error) {
	key := [2]string{p.Name, p.Segment}
	if id, ok := f.ids[key]; ok {
		return id, nil
	}
	in := pcapgo.NgInterface{Name: clean(p.Name), LinkType: layers.LinkTypeEthernet, Filter: clean(f.q.Filter.String())}
	if p.Segment != "" {
		in.Description = clean("segment " + p.Segment)
	}
	id := 0
	var err error
	if f.w == nil {
		f.w, err = pcapgo.NewNgWriterInterface(f.out, in, pcapgo.NgWriterOptions{
			SectionInfo: pcapgo.NgSectionInfo{Hardware: runtime.GOARCH, OS: "Linux", Application: "Patchbay"},
		})
	} else {
		id, err = f.w.AddInterface(in)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the interface of %s: %w", p.Name, err)
	}
	f.ids[key] = id
	f.stats = append(f.stats, ifaceStats{})
	return id, nil
}

// clean makes a string fit for a capture file: short, printable UTF-8.
func clean(s string) string {
	const most = 1000 // bytes; the format's own limit is 65535
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

var reasons = map[Fate]string{
	Dropped:  "dropped: the receiver's queue was full",
	Lost:     "lost on the cable (impairment)",
	Cut:      "lost: the cable is pulled",
	Stormed:  "dropped: storm control",
	Filtered: "dropped: the port is not in this VLAN",
}

func (f *pcapng) write(fr Frame) error {
	id, err := f.iface(Port{Name: fr.Port, Segment: fr.Segment})
	if err != nil {
		return err
	}
	var o pcapgo.NgPacketOptions
	o.Flags = &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}
	if fr.Dir == FromGuest {
		o.Flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	s := &f.stats[id]
	if fr.Fate != Delivered {
		o.Comments = append(o.Comments, reasons[fr.Fate])
	}
	if fr.Fate == Dropped {
		s.dropped++
	}
	if fr.Missed > 0 {
		o.Comments = append(o.Comments, fmt.Sprintf("%d records are missing before this frame: the capture was read too slowly", fr.Missed))
		o.DropCount = &fr.Missed
	}
	if s.frames++; s.frames == 1 {
		s.first = fr.Time
	}
	s.last = fr.Time
	f.frames++
	f.bytes += int64(len(fr.Data))
	ci := gopacket.CaptureInfo{Timestamp: fr.Time, CaptureLength: len(fr.Data), Length: len(fr.Data), InterfaceIndex: id}
	if err := f.w.WritePacketWithOptions(ci, fr.Data, o); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// push hands over what has been written.
func (f *pcapng) push() error {
	if f.w == nil {
		return nil
	}
	if err := errors.Join(f.w.Flush(), f.out.Flush(), f.flush()); err != nil {
		return fmt.Errorf("sending the capture: %w", err)
	}
	return nil
}

// end completes the file.
func (f *pcapng) end() error {
	if f.w == nil { // a file must have an interface to be one
		if _, err := f.iface(Port{Name: "none", Segment: ""}); err != nil {
			return err
		}
	}
	now := time.Now()
	for id, s := range f.stats {
		st := pcapgo.NgInterfaceStatistics{LastUpdate: s.last, PacketsReceived: s.frames, PacketsDropped: s.dropped}
		if s.frames == 0 {
			st.LastUpdate = now
		} else {
			st.StartTime, st.EndTime = s.first, s.last
		}
		if err := f.w.WriteInterfaceStats(id, st); err != nil {
			return fmt.Errorf("writing the statistics: %w", err)
		}
	}
	return f.push()
}
