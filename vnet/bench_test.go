package vnet_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/offload"
	"golang.org/x/sys/unix"
)

// BenchmarkForward is the decision alone: no system call.
func BenchmarkForward(b *testing.B) {
	access, trunk := vnet.VLANConfig{Access: 10}, vnet.VLANConfig{Trunk: []uint16{10}}
	h, super := super(b, 2, 1, 60000, 1448)
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports [2]vnet.PortConfig
		rec   []byte
	}{
		{"switch", vnet.SwitchKind, [2]vnet.PortConfig{}, frame(2, 1)},
		{"hub", vnet.Hub, [2]vnet.PortConfig{}, frame(2, 1)},
		{"link", vnet.Link, [2]vnet.PortConfig{}, frame(2, 1)},
		{"vlan-push", vnet.SwitchKind, [2]vnet.PortConfig{{VLAN: access}, {VLAN: trunk}}, frame(2, 1)},
		{"vlan-pop", vnet.SwitchKind, [2]vnet.PortConfig{{VLAN: trunk}, {VLAN: access}}, tagged(frame(2, 1), 10)},
		{"super", vnet.Link, [2]vnet.PortConfig{{Offload: true}, {Offload: true}}, withHeader(h, super)},
		{"super-cut", vnet.Link, [2]vnet.PortConfig{{Offload: true}, {}}, withHeader(h, super)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			c := vnet.SegmentConfig{Kind: tt.kind, MTU: vnet.MaxMTU, Storm: -1}
			m, err := vnet.NewManualOf(c, 4096, tt.ports[:], []int{-1, -1})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			answer := frame(0xff, 2)
			if tt.ports[1].VLAN.Trunk != nil {
				answer = tagged(answer, 10)
			}
			m.Receive(1, answer)
			m.Discard(nil)
			m.Place(tt.rec)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Replay(0)
				if i%vnet.Batch == vnet.Batch-1 {
					m.Discard(nil)
				}
			}
		})
	}
}

// cpuTime is what the calling thread has used.
func cpuTime() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

// BenchmarkRound is the whole way of a frame, socket to socket, with generator,
// switch and sink taking turns on one thread: all the work and no waiting. Its
// metrics are of the thread's CPU time, which a busy machine stretches little.
func BenchmarkRound(b *testing.B) {
	h, super := super(b, 2, 1, 62000, 1448)
	big := append(frame(2, 1), make([]byte, 1450)...)
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports [2]vnet.PortConfig
		rec   []byte
		batch int
	}{
		{"64B", vnet.SwitchKind, [2]vnet.PortConfig{}, frame(2, 1), vnet.Batch},
		{"64B-alone", vnet.SwitchKind, [2]vnet.PortConfig{}, frame(2, 1), 1},
		{"64B-link", vnet.Link, [2]vnet.PortConfig{}, frame(2, 1), vnet.Batch},
		{"1514B", vnet.SwitchKind, [2]vnet.PortConfig{}, big, vnet.Batch},
		{"1514B-to-offload", vnet.SwitchKind, [2]vnet.PortConfig{{}, {Offload: true}}, big, vnet.Batch},
		{"super", vnet.SwitchKind, [2]vnet.PortConfig{{Offload: true}, {Offload: true}}, withHeader(h, super), 3},
		{"super-cut", vnet.SwitchKind, [2]vnet.PortConfig{{Offload: true}, {}}, withHeader(h, super), 3},
	} {
		round := func(b *testing.B, recorded bool) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			m, fds := manualOf(b, tt.kind, tt.ports[:]...)
			if recorded {
				m.Record(newRing(b, 0))
			}
			in, out := vnet.NewPump(tt.rec), vnet.NewPump(frame(1, 2))
			if tt.ports[1].Offload {
				out = vnet.NewPump(withHeader(offload.Header{}, frame(1, 2)))
			}
			out.Send(fds[1], 1)
			if err := m.Round(); err != nil {
				b.Fatal(err)
			}
			in.Drain(fds[0])
			var generator, sink time.Duration
			b.ReportAllocs()
			b.SetBytes(int64(len(tt.rec)))
			began := cpuTime()
			frames := 0
			for frames < b.N {
				start := cpuTime()
				frames += in.Send(fds[0], tt.batch)
				generator += cpuTime() - start
				if err := m.Round(); err != nil {
					b.Fatal(err)
				}
				start = cpuTime()
				for out.Drain(fds[1]) > 0 {
				}
				sink += cpuTime() - start
			}
			all := cpuTime() - began
			b.ReportMetric(float64(generator.Nanoseconds())/float64(frames), "generator-ns/op")
			b.ReportMetric(float64((all-generator-sink).Nanoseconds())/float64(frames), "switch-ns/op")
			b.ReportMetric(float64(sink.Nanoseconds())/float64(frames), "sink-ns/op")
		}
		b.Run(tt.name, func(b *testing.B) { round(b, false) })
		b.Run(tt.name+"-recorded", func(b *testing.B) { round(b, true) })
	}
}

// BenchmarkWire sends frames of 64 bytes through sockets and the switch: the
// time is that of one frame sent, kpps are the frames that arrived. In the ring
// every port sends to the next one; in the flood every frame goes to all.
func BenchmarkWire(b *testing.B) {
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports int
		dst   func(i, n int) byte
	}{
		{"link", vnet.Link, 2, func(i, n int) byte { return 2 }},
		{"switch", vnet.SwitchKind, 2, func(i, n int) byte { return 2 }},
		{"ring32", vnet.SwitchKind, 32, func(i, n int) byte { return byte((i+1)%n) + 1 }},
		{"flood32", vnet.SwitchKind, 32, func(i, n int) byte { return 0xff }},
	} {
		b.Run(tt.name, func(b *testing.B) { benchmarkWire(b, tt.kind, tt.ports, tt.dst) })
	}
}

func benchmarkWire(b *testing.B, kind vnet.Kind, ports int, dst func(i, n int) byte) {
	s, err := vnet.New(vnet.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: kind, Storm: -1}); err != nil {
		b.Fatal(err)
	}
	fds := make([]int, ports)
	for i := range fds {
		fd, f := pair(b)
		defer unix.Close(fd)
		if err := s.AddPort(vnet.PortConfig{Name: fmt.Sprint(i), Segment: "lan", Conn: f}); err != nil {
			b.Fatal(err)
		}
		f.Close()
		fds[i] = fd
		if kind == vnet.SwitchKind { // be known before the flood
			unix.Sendto(fd, frame(byte(i)+1, byte(i)+1), 0, nil)
		}
	}
	s.Segments()
	senders := 1
	if ports > 2 {
		senders = ports
	}
	// One goroutine sends for all and one receives for all, each on a thread of
	// its own: with the switch that makes three, as with two guests.
	var stop atomic.Bool
	var got uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p := vnet.NewPump(frame(0, 0))
		poll := make([]unix.PollFd, ports)
		for i, fd := range fds {
			poll[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		}
		for {
			if n, _ := unix.Poll(poll, 10); n == 0 && stop.Load() {
				return
			}
			for i := range poll {
				if poll[i].Revents != 0 {
					got += uint64(max(p.Drain(fds[i]), 0))
				}
			}
		}
	})
	pumps := make([]*vnet.Pump, senders)
	for i := range pumps {
		pumps[i] = vnet.NewPump(frame(dst(i, ports), byte(i)+1))
	}
	poll := make([]unix.PollFd, senders)
	for i := range poll {
		poll[i] = unix.PollFd{Fd: int32(fds[i]), Events: unix.POLLOUT}
	}
	b.ReportAllocs()
	b.ResetTimer()
	start := time.Now()
	for left := b.N; left > 0; {
		took := 0
		for i := 0; i < senders && left > 0; i++ {
			n := pumps[i].Send(fds[i], left)
			took += n
			left -= n
		}
		if took == 0 {
			unix.Poll(poll, 10)
		}
	}
	for done := false; !done; {
		var tx uint64
		for _, p := range s.Ports() {
			tx += p.TxFrames
		}
		if done = tx >= uint64(b.N); !done {
			time.Sleep(100 * time.Microsecond)
		}
	}
	elapsed := time.Since(start)
	b.StopTimer()
	stop.Store(true)
	wg.Wait()
	var drops uint64
	for _, p := range s.Ports() {
		drops += p.Drops
	}
	b.ReportMetric(float64(got)/elapsed.Seconds()/1e3, "kpps")
	b.ReportMetric(100*float64(drops)/float64(max(got+drops, 1)), "%dropped")
}
