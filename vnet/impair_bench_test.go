package vnet_test

import (
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"golang.org/x/sys/unix"
)

// impairedLink is a running switch with one link; what its first guest sends is
// impaired. It returns the guests' ends.
func impairedLink(b *testing.B, c impair.Config) (s *vnet.Switch, from, to int) {
	b.Helper()
	s, err := vnet.New(vnet.Options{SendBuffer: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.AddSegment(vnet.SegmentConfig{Name: "wire", Kind: vnet.Link}); err != nil {
		b.Fatal(err)
	}
	var fds []int
	for _, name := range []string{"a", "b"} {
		fd, f := pair(b)
		b.Cleanup(func() { unix.Close(fd) })
		if err := s.AddPort(vnet.PortConfig{Name: name, Segment: "wire", Conn: f}); err != nil {
			b.Fatal(err)
		}
		f.Close()
		fds = append(fds, fd)
	}
	if err := s.Impair("a", vnet.FromGuest, c); err != nil {
		b.Fatal(err)
	}
	return s, fds[0], fds[1]
}

// BenchmarkDelay sends a frame each millisecond and reports by how much they
// came too late or too early. One thread sends and looks for what comes without
// a pause, so that the figures are the switch's and two system calls'. With no
// delay they are what the way costs without impairment.
func BenchmarkDelay(b *testing.B) {
	for _, bb := range []struct {
		name string
		c    impair.Config
	}{
		{"none", impair.Config{}},
		{"100us", impair.Config{Delay: 100 * time.Microsecond}},
		{"5ms", impair.Config{Delay: 5 * ms}},
		{"20ms", impair.Config{Delay: 20 * ms}},
		{"200ms", impair.Config{Delay: 200 * ms}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			_, from, to := impairedLink(b, bb.c)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			f := frame(2, 1)
			buf := make([]byte, 2048)
			off := make([]float64, 0, b.N)
			start := time.Now()
			next := time.Duration(0)
			b.ResetTimer()
			for sent := 0; len(off) < b.N; {
				now := time.Since(start)
				if sent < b.N && now >= next {
					binary.BigEndian.PutUint64(f[14:], uint64(now))
					if err := unix.Sendto(from, f, 0, nil); err != nil {
						b.Fatal(err)
					}
					sent++
					next = now + ms
				}
				n, _, err := unix.Recvfrom(to, buf, unix.MSG_DONTWAIT)
				if err != nil || n < 64 {
					if now > 10*time.Second+time.Duration(b.N)*2*ms {
						b.Fatalf("%d of %d frames came", len(off), b.N)
					}
					continue
				}
				took := time.Since(start) - time.Duration(binary.BigEndian.Uint64(buf[14:]))
				off = append(off, math.Abs(float64(took-bb.c.Delay))/1e3)
			}
			b.StopTimer()
			slices.Sort(off)
			b.ReportMetric(off[len(off)/2], "p50-µs-off")
			b.ReportMetric(off[len(off)*99/100], "p99-µs-off")
			b.ReportMetric(off[len(off)-1], "max-µs-off")
		})
	}
}

// BenchmarkRate keeps the queue before a slow wire full and reports by how much
// the rate of what arrives differs from what was asked.
func BenchmarkRate(b *testing.B) {
	for _, bb := range []struct {
		name string
		rate int64
		size int
	}{
		{"1M", 1e6, 1514}, {"10M", 10e6, 1514}, {"10M-small", 10e6, 60}, {"100M", 100e6, 1514}, {"500M", 500e6, 1514}, {"1G", 1e9, 1514},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s, from, to := impairedLink(b, impair.Config{Rate: bb.rate, Queue: 1000})
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			f := make([]byte, bb.size)
			copy(f, frame(2, 1))
			out, in := vnet.NewPump(f), vnet.NewPump(f)
			frames := b.N + 1 // the first one starts the clock
			sent, got := 0, 0
			var first, last time.Time
			b.ResetTimer()
			for begin := time.Now(); got < frames; {
				if sent < frames && sent-got < 500 {
					sent += out.Send(from, min(vnet.Batch, frames-sent))
				}
				n := in.Drain(to)
				if n > 0 {
					last = time.Now()
					if got == 0 {
						first = last
						got, n = n, 0 // came together: as one
						frames += got - 1
					}
					got += n
				} else if time.Since(begin) > time.Minute {
					b.Fatalf("%d of %d frames came", got, frames)
				}
			}
			b.StopTimer()
			bits := float64(got-(frames-b.N)) * float64(bb.size+24) * 8
			rate := bits / last.Sub(first).Seconds()
			b.ReportMetric(100*math.Abs(rate/float64(bb.rate)-1), "%off")
			b.ReportMetric(rate/1e6, "Mbit/s")
			if p := s.Ports()[0]; p.Lost > 0 {
				b.Errorf("%d frames lost", p.Lost)
			}
		})
	}
}

// BenchmarkImpairedRound is the whole way of a frame of 64 bytes through the
// switch, socket to socket, by what the wire does to it; beside is a switch on
// which another port is impaired, plain one on which nothing is.
func BenchmarkImpairedRound(b *testing.B) {
	for _, bb := range []struct {
		name string
		port int // whose guest's frames are impaired; -1: nobody's
		c    impair.Config
	}{
		{"plain", -1, impair.Config{}},
		{"beside", 1, impair.Config{Delay: ms}},
		{"loss", 0, impair.Config{Loss: 1e-6}},
		{"delay", 0, impair.Config{Delay: time.Microsecond}},
		{"everything", 0, impair.Config{
			Delay: time.Microsecond, Jitter: 1, Loss: 1e-6, Duplicate: 1e-6, Corrupt: 1e-6, Reorder: 1e-6, Rate: 1e12, Queue: 10000,
			Burst: &impair.GilbertElliott{GoodToBad: 1e-6, BadToGood: 0.5},
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m, fds := manual(b, vnet.Link, 2)
			if bb.port >= 0 {
				a, err := m.Air(64<<20, 1)
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Real(); err != nil {
					b.Fatal(err)
				}
				a.Impair(bb.port, vnet.FromGuest, bb.c)
			}
			in, out := vnet.NewPump(frame(2, 1)), vnet.NewPump(frame(1, 2))
			var inside time.Duration
			frames := 0
			b.ReportAllocs()
			b.ResetTimer()
			for frames < b.N {
				in.Send(fds[0], vnet.Batch)
				start := time.Now()
				for range 2 { // the second one lands what is due by then
					if err := m.Round(); err != nil {
						b.Fatal(err)
					}
				}
				inside += time.Since(start)
				for n := 1; n > 0; {
					n = out.Drain(fds[1])
					frames += max(n, 0)
				}
			}
			b.ReportMetric(float64(inside.Nanoseconds())/float64(frames), "switch-ns/op")
		})
	}
}
