package vnet_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

// BenchmarkLatency sends a frame of 98 bytes, a ping's, there and back between two
// threads, each on a CPU of its own if there are two: directly over one socket
// pair and through the switch. What the medians differ by is the switch's.
func BenchmarkLatency(b *testing.B) {
	b.Run("direct", func(b *testing.B) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		pingPong(b, fds[0], fds[1])
	})
	b.Run("switch", func(b *testing.B) {
		s, err := vnet.New(vnet.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		if err := s.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.Link}); err != nil {
			b.Fatal(err)
		}
		var ends [2]int
		for i, name := range []string{"a", "b"} {
			fd, f := pair(b)
			if err := s.AddPort(vnet.PortConfig{Name: name, Segment: "lan", Conn: f}); err != nil {
				b.Fatal(err)
			}
			f.Close()
			ends[i] = fd
		}
		pingPong(b, ends[0], ends[1])
	})
}

// pin puts the calling goroutine's thread, for good, on the n-th CPU of those
// there are.
func pin(n int) {
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return
	}
	for cpu := 0; ; cpu++ {
		if all.IsSet(cpu) {
			if n == 0 {
				one.Set(cpu)
				unix.SchedSetaffinity(0, &one)
				return
			}
			n--
		}
	}
}

// pingPong has two threads talk over a and b, which it closes.
func pingPong(b *testing.B, x, y int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pin(1)
		buf := make([]byte, 2048)
		for {
			n, err := unix.Read(y, buf)
			if n <= 0 || err != nil {
				return
			}
			unix.Write(y, buf[:n])
		}
	}()
	times := make([]time.Duration, 0, b.N)
	waits := make(chan struct{})
	go func() {
		defer close(waits)
		pin(0)
		f := append(frame(2, 1), make([]byte, 34)...)
		buf := make([]byte, 2048)
		for range b.N {
			start := time.Now()
			unix.Write(x, f)
			if n, _ := unix.Read(x, buf); n != len(f) {
				b.Errorf("%d bytes came back", n)
				return
			}
			times = append(times, time.Since(start))
			time.Sleep(200 * time.Microsecond) // all are asleep again
		}
	}()
	<-waits
	unix.Shutdown(y, unix.SHUT_RDWR)
	unix.Close(x)
	<-done
	unix.Close(y)
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
	b.ReportMetric(float64(times[len(times)*9/10].Nanoseconds()), "p90-ns")
	b.ReportMetric(float64(times[0].Nanoseconds()), "min-ns")
}
