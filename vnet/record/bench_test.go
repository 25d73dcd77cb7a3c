package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/record"
)

func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{64, 1514, 64 << 10} {
		for _, mib := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("%d bytes in %d MiB", size, mib), func(b *testing.B) {
				r := newRing(b, mib<<20)
				p, q := r.Port("a", ""), r.Port("b", "")
				frame := numbered(1, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					ref := r.Frame(int64(i), p, plain, frame)
					r.Fate(ref, int64(i), q, record.Delivered, record.View{})
					if i%16 == 0 {
						r.Publish()
					}
				}
			})
		}
	}
}

// BenchmarkPut is put against a plain copy, which take turns: what the switch
// does with a frame, in from one side and out to another, with nothing recorded,
// with a copy and with put. Each into as much memory as a ring has.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1514, 8 << 10, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%d bytes", size), func(b *testing.B) {
			from, buf := make([]byte, 4<<20), make([]byte, 1<<20)
			ways := []struct {
				name string
				put  func(dst, src []byte)
				ring []byte
				off  int
				took time.Duration
			}{
				{name: "without", put: func(dst, src []byte) {}},
				{name: "copy", put: func(dst, src []byte) { copy(dst, src) }},
				{name: "put", put: record.Put},
			}
			for i := range ways {
				ways[i].ring = make([]byte, record.DefaultSize)
			}
			const turn = 256
			n := 0
			for b.Loop() {
				for i := range ways {
					w := &ways[i]
					start := time.Now()
					at, in := 0, 0
					for range turn {
						src := from[at : at+size]
						frame := buf[in : in+size]
						copy(frame, src)
						w.put(w.ring[w.off:w.off+size], frame)
						copy(src, frame)
						at, in, w.off = (at+size)%(len(from)-size), (in+size)%(len(buf)-size), (w.off+size)%(len(w.ring)-size)
					}
					w.took += time.Since(start)
				}
				n += turn
			}
			for _, w := range ways {
				b.ReportMetric(float64(w.took.Nanoseconds())/float64(n), "ns/frame-"+w.name)
			}
		})
	}
}

// BenchmarkNow is what reading the clock for each frame would cost.
func BenchmarkNow(b *testing.B) {
	r := newRing(b, 0)
	for b.Loop() {
		r.Now()
	}
}
