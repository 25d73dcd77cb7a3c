package record_test

import (
	"fmt"
	"testing"

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
