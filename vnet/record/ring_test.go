package record_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/offload"
	"github.com/patchbay/patchbay/vnet/record"
)

var plain offload.Header

func newRing(t testing.TB, size int) *record.Ring {
	t.Helper()
	r, err := record.New(record.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

var pattern = func() (p [512]byte) {
	for i := range p {
		p[i] = byte(i)
	}
	return p
}()

// numbered is a frame of n bytes that says its number and can be checked.
func numbered(num uint64, n int) []byte {
	b := make([]byte, max(n, 26))
	copy(b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5")
	binary.BigEndian.PutUint64(b[14:], num)
	for n := 22; n < len(b)-4; {
		n += copy(b[n:len(b)-4], pattern[num%256:])
	}
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-4]))
	return b
}

func number(t testing.TB, b []byte) uint64 {
	if len(b) < 26 || crc32.ChecksumIEEE(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		t.Fatalf("a frame of %d bytes is spoilt", len(b))
	}
	return binary.BigEndian.Uint64(b[14:])
}

// all reads what a query asks for, copies of the bytes.
func all(t testing.TB, r *record.Ring, q record.Query) (got []record.Frame) {
	t.Helper()
	for f, err := range r.Read(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		f.Data = append([]byte{}, f.Data...)
		got = append(got, f)
	}
	return got
}

// lines says frames in short.
func lines(frames []record.Frame) (s []string) {
	for _, f := range frames {
		s = append(s, fmt.Sprintf("%s %s %s %d", f.Port, f.Dir, f.Fate, f.Data[len(f.Data)-1]))
	}
	return s
}

func TestFates(t *testing.T) {
	r := newRing(t, 0)
	a, b, c := r.Port("a", "lan"), r.Port("b", "lan"), r.Port("c", "wan")
	if again := r.Port("b", "lan"); again != b {
		t.Errorf("Port(b) = %d, then %d; want the same", b, again)
	}
	frame := func(n byte) []byte { return append(make([]byte, 20), n) }
	f1 := r.Frame(1, a, plain, frame(1))
	f2 := r.Frame(1, a, plain, frame(2))
	r.Fate(f2, 1, a, record.Stormed, record.View{}) // not yet published: it says so itself
	f3 := r.Frame(2, c, plain, frame(3))
	r.Fate(f1, 3, b, record.Delivered, record.View{})
	r.Publish()
	r.Fate(f3, 4, c, record.Lost, record.View{}) // was published: a frame of its own
	r.Fate(f1, 5, c, record.Dropped, record.View{})
	r.Fate(r.Keep(6, c, plain, frame(9)), 6, b, record.Delivered, record.View{})
	r.Fate(0, 7, b, record.Delivered, record.View{})
	r.Publish()
	r.Frame(8, a, plain, frame(10)) // not published
	for _, tt := range []struct {
		name string
		q    record.Query
		want []string
	}{
		{"all", record.Query{}, []string{
			"a from delivered 1", "a from stormed 2", "c from lost 3", "b to delivered 1",
			"c to dropped 1", "b to delivered 9",
		}},
		{"port", record.Query{Ports: []string{"b"}}, []string{"b to delivered 1", "b to delivered 9"}},
		{"segment", record.Query{Segments: []string{"wan"}}, []string{"c from lost 3", "c to dropped 1"}},
		{"none", record.Query{Ports: []string{}}, nil},
		{"delivered", record.Query{Delivered: true, Ports: []string{"a", "c"}}, []string{"a from delivered 1"}},
		{"from", record.Query{Dir: record.FromGuest, Segments: []string{"lan"}}, []string{"a from delivered 1", "a from stormed 2"}},
		{"once", record.Query{Once: true}, []string{
			"a from delivered 1", "a from stormed 2", "c from lost 3",
		}},
		{"once at one", record.Query{Once: true, Ports: []string{"b"}}, []string{"b to delivered 1", "b to delivered 9"}},
		{"to", record.Query{Dir: record.ToGuest, Ports: []string{"c"}}, []string{"c to dropped 1"}},
		{"times", record.Query{From: r.Time(3), To: r.Time(5)}, []string{"b to delivered 1", "c from lost 3", "c to dropped 1"}},
		{"after", record.Query{From: r.Time(7)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frames := all(t, r, tt.q)
			if got := lines(frames); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %q; want %q", got, tt.want)
			}
			for i := 1; i < len(frames); i++ {
				if frames[i].Time.Before(frames[i-1].Time) || frames[i].Seq <= frames[i-1].Seq {
					t.Errorf("%v, number %d, comes after %v, number %d", frames[i].Time, frames[i].Seq, frames[i-1].Time, frames[i-1].Seq)
				}
			}
		})
	}
}

// The clock of a caller that steps back does not spoil the order.
func TestTimesAreInOrder(t *testing.T) {
	r := newRing(t, 0)
	a := r.Port("a", "")
	for _, at := range []int64{5, 3, 9, 1, 10} {
		r.Frame(at, a, plain, numbered(0, 60))
	}
	r.Publish()
	var got []int64
	for _, f := range all(t, r, record.Query{}) {
		got = append(got, int64(f.Time.Sub(r.Time(0))))
	}
	if want := []int64{5, 5, 9, 9, 10}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("times %v; want %v", got, want)
	}
}

func TestRingForgetsTheOldest(t *testing.T) {
	r := newRing(t, 1<<20)
	a := r.Port("a", "")
	const n = 5000 // of 1000 bytes: five rings full
	var first record.Ref
	for i := range uint64(n) {
		ref := r.Frame(int64(i), a, plain, numbered(i, 1000))
		if i == 0 {
			first = ref
		}
		if !r.Holds(ref) {
			t.Fatalf("frame %d is not held", i)
		}
		r.Publish()
	}
	if r.Holds(first) {
		t.Error("the first frame is still held")
	}
	r.Fate(first, n, a, record.Delivered, record.View{}) // speaks of what is gone
	r.Publish()
	got := all(t, r, record.Query{})
	if len(got) < (1<<20-r.ChunkSize())/1100 || len(got) > (1<<20)/1000 {
		t.Errorf("%d frames are left of a ring of 1 MiB", len(got))
	}
	for i, f := range got {
		if num := number(t, f.Data); num != uint64(n-len(got)+i) {
			t.Fatalf("frame %d is number %d; want the last ones in order", i, num)
		}
	}
	if since, ok := r.Since(); !ok || !since.Equal(got[0].Time) {
		t.Errorf("Since() = %v, %v; want %v", since, ok, got[0].Time)
	}
	// A time that went through a browser, and so has no monotonic reading.
	if f := all(t, r, record.Query{From: got[100].Time.Round(0), To: got[100].Time.UTC().Round(0)}); len(f) != 1 || f[0].Seq != got[100].Seq {
		t.Errorf("%d frames at the time of one", len(f))
	}
	// A time is found without reading all before it.
	late := all(t, r, record.Query{From: r.Time(n - 10)})
	if len(late) != 10 {
		t.Errorf("%d frames from the 10th last on", len(late))
	}
}

// What a reader missed and what it got is together what there was.
func TestSlowReader(t *testing.T) {
	r := newRing(t, 1<<20)
	a := r.Port("a", "")
	rd := r.Reader(record.Query{Follow: true})
	ctx := t.Context()
	put := func(from, to uint64) {
		for i := from; i < to; i++ {
			r.Frame(int64(i), a, plain, numbered(i, 1000))
			r.Publish()
		}
	}
	put(0, 100)
	var got, missed uint64
	read := func(until uint64) {
		for got+missed < until {
			frames, err := rd.Batch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				missed += f.Missed
				if num := number(t, f.Data); num != got+missed || f.Seq != num {
					t.Fatalf("number %d, seq %d after %d frames and %d missed", num, f.Seq, got, missed)
				}
				got++
			}
		}
	}
	read(100)
	if missed != 0 {
		t.Errorf("%d missed of the first 100", missed)
	}
	put(100, 5000)
	read(5000)
	if missed < 3000 || rd.Missed() != missed {
		t.Errorf("%d missed, in all %d; want most of 4900, and the same", missed, rd.Missed())
	}
}

// Readers that hold on to chunks cost the ring its spares; beyond that frames
// are not recorded, counted, and the writer does not wait.
func TestChunksHeld(t *testing.T) {
	r := newRing(t, 1<<20)
	a := r.Port("a", "")
	var num uint64
	chunk := func() {
		for serial := r.Newest(); r.Newest() == serial; num++ {
			r.Frame(int64(num), a, plain, numbered(num, 60000))
			r.Publish()
			if num > 1000 {
				return
			}
		}
	}
	var holds []func()
	for range r.Chunks() {
		chunk()
		holds = append(holds, r.Hold(r.Newest()))
	}
	for range record.Spares {
		chunk()
		holds = append(holds, r.Hold(r.Newest()))
	}
	before := num
	for range 10 { // there is none left to be had
		r.Frame(int64(num), a, plain, numbered(num, 60000))
		r.Publish()
		num++
	}
	for _, release := range holds {
		if release == nil {
			t.Fatal("the newest chunk could not be held")
		}
		release()
	}
	after := num
	chunk()
	var got []uint64
	var missed uint64
	for _, f := range all(t, r, record.Query{}) {
		got = append(got, number(t, f.Data))
		missed += f.Missed
	}
	if len(got) == 0 || got[len(got)-1] != num-1 {
		t.Fatalf("got %v; want the last to be %d", got, num-1)
	}
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]+1 && (got[i-1] > before || got[i] < after) {
			t.Errorf("%d comes after %d; only what came while all was held may lack", got[i], got[i-1])
		}
	}
	if want := got[len(got)-1] - got[0] + 1 - uint64(len(got)); missed != want || want == 0 {
		t.Errorf("%d told to be missing; %d are", missed, want)
	}
}

// One writer and many readers of every kind, for the race detector.
func TestReadersAtOnce(t *testing.T) {
	r := newRing(t, 1<<20)
	ports := []int32{r.Port("a", "lan"), r.Port("b", "lan"), r.Port("c", "lan")}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg, writer sync.WaitGroup
	var read atomic.Int64
	reader := func(q record.Query, nap time.Duration) {
		rnd := rand.New(rand.NewPCG(uint64(nap), 1))
		var last, seq, seen uint64
		rd := r.Reader(q)
		for {
			frames, err := rd.Batch(ctx)
			if err != nil {
				if err != io.EOF && !errors.Is(err, context.Canceled) {
					t.Errorf("Batch: %v", err)
				}
				return
			}
			for _, f := range frames {
				num := number(t, f.Data)
				if seen > 0 && (f.Seq <= seq || q.Dir == record.FromGuest && num <= last) {
					t.Errorf("number %d, seq %d comes after number %d, seq %d", num, f.Seq, last, seq)
					return
				}
				last, seq = num, f.Seq
				seen++
			}
			read.Add(int64(len(frames)))
			if nap > 0 {
				time.Sleep(time.Duration(rnd.Int64N(int64(nap))))
			}
		}
	}
	for _, q := range []record.Query{
		{Follow: true}, {Follow: true, Dir: record.FromGuest}, {Follow: true, Ports: []string{"b"}},
		{Follow: true, From: time.Now().Add(time.Millisecond)},
	} {
		wg.Go(func() { reader(q, 0) })
		wg.Go(func() { reader(q, 5*time.Millisecond) })
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			reader(record.Query{Dir: record.FromGuest}, 0)
		}
	})
	writer.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 2))
		for i := uint64(0); i < 20000; {
			for range rnd.IntN(20) {
				at := r.Now()
				ref := r.Frame(at, ports[0], plain, numbered(i, 30+rnd.IntN(1500)))
				for _, p := range ports[1:] {
					r.Fate(ref, at, p, record.Delivered, record.View{})
				}
				i++
			}
			r.Publish()
		}
	})
	writer.Wait()
	cancel()
	wg.Wait()
	if read.Load() == 0 || r.Held() != 0 {
		t.Errorf("%d frames read, %d chunks held at the end; want many and none", read.Load(), r.Held())
	}
}

func TestFollow(t *testing.T) {
	r := newRing(t, 0)
	a := r.Port("a", "")
	rd := r.Reader(record.Query{Follow: true})
	done := make(chan error, 1)
	go func() {
		frames, err := rd.Batch(t.Context())
		if err == nil && (len(frames) != 1 || number(t, frames[0].Data) != 7) {
			err = fmt.Errorf("got %v", frames)
		}
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	r.Frame(r.Now(), a, plain, numbered(7, 60))
	r.Publish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := rd.Batch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Batch with a context that ends: %v", err)
	}
	// A query with an end ends, traffic or not.
	until := r.Reader(record.Query{Follow: true, From: time.Now(), To: time.Now().Add(30 * time.Millisecond)})
	if _, err := until.Batch(t.Context()); err != io.EOF {
		t.Errorf("Batch until a time: %v; want EOF", err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		r.Close()
	}()
	if _, err := rd.Batch(t.Context()); err != io.EOF {
		t.Errorf("Batch of a ring that is closed: %v; want EOF", err)
	}
	if _, err := r.Reader(record.Query{}).Batch(t.Context()); err != io.EOF {
		t.Errorf("Batch of a closed ring: %v; want EOF", err)
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	r := newRing(t, 1<<20)
	a, b := r.Port("a", ""), r.Port("b", "")
	frame := numbered(1, 1514)
	n := testing.AllocsPerRun(5000, func() {
		ref := r.Frame(1, a, plain, frame)
		r.Fate(ref, 1, b, record.Delivered, record.View{})
		r.Publish()
	})
	if n != 0 {
		t.Errorf("a frame allocates %v times; want never", n)
	}
}

// The last fates of frames that have just left the ring are not told to be
// missing: they were gone before anybody asked.
func TestNothingIsMissedOfWhatIsGone(t *testing.T) {
	r := newRing(t, 1<<20)
	a, b := r.Port("a", ""), r.Port("b", "")
	var late record.Ref
	for i := 0; r.Newest() < uint64(r.Chunks())+5; i++ {
		ref := r.Frame(int64(i), a, plain, numbered(uint64(i), 1000))
		if late != 0 && i%3 == 0 { // each three frames late, so some across chunks
			r.Fate(late, int64(i), b, record.Delivered, record.View{})
		}
		late = ref
		r.Publish()
	}
	got := all(t, r, record.Query{})
	for _, f := range got {
		if f.Missed != 0 {
			t.Errorf("%d missed before number %d, the first being %d", f.Missed, f.Seq, got[0].Seq)
		}
	}
}
