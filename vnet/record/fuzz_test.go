package record_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/record"
)

// FuzzRing plays a program of writes, reads and held chunks, and holds what
// readers get against all that was written: the right bytes, in order, nothing
// twice, and gaps as large as they are told to be.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 10, 200, 3, 1, 1, 2, 3, 4})
	f.Add(bytes.Repeat([]byte{0, 255, 255, 2, 3}, 20))
	f.Add(bytes.Repeat([]byte{0, 255, 240, 1, 2, 5, 3, 4}, 20))
	f.Add([]byte("11A2001}xB")) // a fate of a frame that was overwritten before the first look
	f.Fuzz(func(t *testing.T, program []byte) {
		r := newRing(t, 1<<20)
		ports := []int32{r.Port("a", ""), r.Port("b", "")}
		type written struct {
			port string
			dir  record.Direction
			fate record.Fate
			num  uint64
			size int
		}
		var log []written // one for each number
		type source struct {
			ref record.Ref
			log written
		}
		var refs []source
		readers := []*record.Reader{r.Reader(record.Query{Follow: true}), r.Reader(record.Query{Follow: true})}
		at := make([]uint64, len(readers)) // number expected next
		var holds []func()
		next := func() byte {
			if len(program) == 0 {
				return 0
			}
			b := program[0]
			program = program[1:]
			return b
		}
		read := func(i int) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			frames, err := readers[i].Batch(ctx)
			if err != nil {
				return // there is nothing
			}
			for _, fr := range frames {
				at[i] += fr.Missed
				if fr.Seq != at[i] {
					t.Fatalf("reader %d: number %d comes where %d is due", i, fr.Seq, at[i])
				}
				want := log[fr.Seq]
				got := written{fr.Port, fr.Dir, fr.Fate, number(t, fr.Data), len(fr.Data)}
				if got != want {
					t.Fatalf("reader %d: number %d is %+v; want %+v", i, fr.Seq, got, want)
				}
				at[i] = fr.Seq + 1
			}
		}
		for len(program) > 0 && len(log) < 5000 {
			switch next() % 7 {
			case 0: // frames
				for n, size := int(next())%32, 26+int(next())*250; n >= 0; n-- {
					num := uint64(len(log))
					ref := r.Frame(int64(num), ports[0], plain, numbered(num, size))
					w := written{"a", record.FromGuest, record.Delivered, num, size}
					log = append(log, w)
					if ref != 0 {
						refs = append(refs, source{ref, w})
					}
				}
			case 1: // a fate
				if len(refs) == 0 {
					break
				}
				s := refs[len(refs)-1-int(next())%min(len(refs), 64)]
				if !r.Holds(s.ref) {
					break
				}
				fate := record.Fate(next() % 6)
				r.Fate(s.ref, int64(len(log)), ports[1], fate, record.View{})
				log = append(log, written{"b", record.ToGuest, fate, s.log.num, s.log.size})
			case 2:
				r.Publish()
			case 3:
				read(0)
			case 4:
				read(1)
			case 5:
				if h := r.Hold(r.Newest()); h != nil && len(holds) < 30 {
					holds = append(holds, h)
				} else if h != nil {
					h()
				}
			case 6:
				for _, h := range holds {
					h()
				}
				holds = nil
			}
		}
		for _, h := range holds {
			h()
		}
		r.Publish()
		// One that reads all at once, and does not follow.
		var last uint64
		rd := r.Reader(record.Query{})
		for {
			frames, err := rd.Batch(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, fr := range frames {
				if fr.Seq < last || log[fr.Seq].num != number(t, fr.Data) {
					t.Fatal(fmt.Sprint("number ", fr.Seq, " after ", last))
				}
				last = fr.Seq + 1
			}
		}
	})
}

// FuzzAsk: hostile frames make no question panic or keep more than it may.
func FuzzAsk(f *testing.F) {
	for _, s := range samples(f) {
		f.Add([]byte(s.data), []byte("GET"))
	}
	four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")
	f.Fuzz(func(t *testing.T, frame, text []byte) {
		record.Claims(frame, four)
		record.Claims(frame, six)
		if len(text) == 0 {
			return
		}
		sees, flows := record.Sees(text)
		found := sees(frame)
		if found != bytes.Contains(frame, text) {
			t.Errorf("%q found in %q: %v", text, frame, found)
		}
		if !found && sees(frame) {
			t.Errorf("%q found in %q sent twice", text, frame)
		}
		if n := flows(); n > 1 {
			t.Errorf("%d flows of one frame", n)
		}
	})
}
