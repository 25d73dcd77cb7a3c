package impair_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/impair"
)

const size = 100

// judge has a new pipe judge n frames of 100 bytes, gap apart.
func judge(c impair.Config, seed uint64, n int, gap time.Duration) []impair.Verdict {
	return feed(impair.NewPipe(c, seed), 0, n, gap)
}

func feed(p *impair.Pipe, from int64, n int, gap time.Duration) []impair.Verdict {
	all := make([]impair.Verdict, n)
	for i := range all {
		all[i] = p.Judge(from+int64(i)*int64(gap), size)
	}
	return all
}

func lost(all []impair.Verdict) (which []int) {
	for i, v := range all {
		if v.Drop == impair.Lost {
			which = append(which, i)
		}
	}
	return which
}

var everything = impair.Config{
	Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Distribution: impair.Normal,
	Loss: 0.05, Burst: &impair.GilbertElliott{GoodToBad: 0.01, BadToGood: 0.2, LossGood: 0.001, LossBad: 0.7},
	Duplicate: 0.03, Reorder: 0.1, Corrupt: 0.04,
	Rate: 1e6, Queue: 20,
}

func TestSameSeedSameVerdicts(t *testing.T) {
	a, b := judge(everything, 7, 10000, time.Millisecond), judge(everything, 7, 10000, time.Millisecond)
	if !slices.Equal(a, b) {
		t.Error("the same seed gave other verdicts")
	}
	if c := judge(everything, 8, 10000, time.Millisecond); slices.Equal(lost(a), lost(c)) {
		t.Error("another seed lost the same frames")
	}
}

// The very frames: a lab that was written with a seed keeps its story when
// Patchbay is upgraded.
func TestSeedsKeepTheirMeaning(t *testing.T) {
	for _, tt := range []struct {
		c    impair.Config
		seed uint64
		want string
	}{
		{impair.Config{Loss: 0.05}, 0, "[0 3 33 34 43 54 95 143 148]"},
		{impair.Config{Loss: 0.05}, 7, "[26 93 125 141 169 178]"},
		{impair.Config{Burst: &impair.GilbertElliott{GoodToBad: 0.02, BadToGood: 0.3}}, 7, "[48 78 79 116 117 118 119 120 121 122 123 124 129 160]"},
	} {
		if got := fmt.Sprint(lost(judge(tt.c, tt.seed, 200, 0))); got != tt.want {
			t.Errorf("%+v with seed %d lost %s; want %s", tt.c, tt.seed, got, tt.want)
		}
	}
}

// Every kind of decision is drawn on its own.
func TestOtherParametersShiftNoDraw(t *testing.T) {
	const n = 5000
	plain := judge(impair.Config{Loss: 0.1, Corrupt: 0.1}, 3, n, time.Second)
	for _, c := range []impair.Config{
		{Delay: time.Millisecond},
		{Jitter: time.Millisecond},
		{Jitter: time.Millisecond, Distribution: impair.Pareto},
		{Duplicate: 0.5},
		{Delay: time.Millisecond, Reorder: 0.5},
		{Rate: 1e6},
	} {
		c.Loss, c.Corrupt = 0.1, 0.1
		got := judge(c, 3, n, time.Second)
		for i := range got {
			if got[i].Drop != plain[i].Drop || got[i].Flip != plain[i].Flip {
				t.Fatalf("with %+v frame %d: %+v; want the drop and flip of %+v", c, i, got[i], plain[i])
			}
		}
	}
	// More loss loses the same frames and others.
	more := lost(judge(impair.Config{Loss: 0.2}, 3, n, 0))
	for _, i := range lost(plain) {
		if !slices.Contains(more, i) {
			t.Fatalf("frame %d is lost at 10 %% and not at 20 %%", i)
		}
	}
}

// What is changed and changed back leaves later draws as they would have been.
func TestSetShiftsNoDraw(t *testing.T) {
	c := impair.Config{Loss: 0.1}
	want := lost(judge(c, 3, 3000, 0))
	p := impair.NewPipe(c, 3)
	got := lost(feed(p, 0, 1000, 0))
	p.Set(everything)
	feed(p, 0, 1000, 0)
	p.Set(c)
	for _, i := range lost(feed(p, 0, 1000, 0)) {
		got = append(got, 2000+i)
	}
	want = slices.DeleteFunc(want, func(i int) bool { return i >= 1000 && i < 2000 })
	if !slices.Equal(got, want) {
		t.Errorf("lost %v; want %v", got, want)
	}
	if p.Frames() != 3000 {
		t.Errorf("Frames() = %d; want 3000", p.Frames())
	}
}

func TestPerfectPipe(t *testing.T) {
	for i, v := range judge(impair.Config{}, 1, 1000, 7) {
		if want := (impair.Verdict{At: int64(7 * i), Sent: int64(7 * i), Flip: -1}); v != want {
			t.Fatalf("frame %d: %+v; want %+v", i, v, want)
		}
	}
}

func TestJitterKeepsOrder(t *testing.T) {
	for _, d := range []impair.Distribution{impair.Uniform, impair.Normal, impair.Pareto} {
		c := impair.Config{Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: d}
		last := int64(0)
		for i, v := range judge(c, 1, 10000, 100*time.Microsecond) {
			if v.At < last {
				t.Fatalf("%s: frame %d arrives at %d, one before it at %d", d, i, v.At, last)
			}
			last = v.At
		}
	}
}

func TestReorder(t *testing.T) {
	c := impair.Config{Delay: 10 * time.Millisecond, Reorder: 0.25, Duplicate: 0.5}
	overtook := 0
	last := int64(0)
	for i, v := range judge(c, 1, 10000, time.Millisecond) {
		now := int64(i) * 1e6
		want := now + 10e6
		if v.Reorder {
			want = now
			if now < last {
				overtook++
			}
		} else {
			last = v.At
		}
		if v.At != want || v.Again && v.AgainAt != want {
			t.Fatalf("frame %d at %d: %+v; want it at %d", i, now, v, want)
		}
	}
	if overtook < 2000 {
		t.Errorf("%d of 10000 frames overtook another; want about 2500", overtook)
	}
}

func TestRate(t *testing.T) {
	for _, tt := range []struct {
		rate   int64
		size   int
		frames int
		want   time.Duration // until the last is sent
	}{
		{10e6, 1514, 1, 1230400},
		{10e6, 1514, 1000, 1230400 * 1000},
		{10e6, 60, 1, 67200},
		{10e6, 14, 1, 67200}, // padded
		{1e9, 1514, 10000, 12304 * 10000},
		{700e6, 1514, 7000, 123040000},            // 17577.14… ns a frame
		{1e12, 60, 1000, 672},                     // 0.672 ns a frame
		{1000, 9022, 1, 72368 * time.Millisecond}, // slow and big
	} {
		p := impair.NewPipe(impair.Config{Rate: tt.rate, Queue: impair.MaxQueue}, 1)
		var end int64
		for range tt.frames {
			v := p.Judge(0, tt.size)
			if v.Drop != impair.Kept || v.At < end {
				t.Fatalf("%+v: %+v after %d", tt, v, end)
			}
			end = v.At
		}
		if time.Duration(end) != tt.want {
			t.Errorf("%d frames of %d bytes at %d bit/s take %v; want %v", tt.frames, tt.size, tt.rate, time.Duration(end), tt.want)
		}
	}
}

// A burst leaves the queue evenly; what does not fit is dropped; when all is
// sent the line is as good as new.
func TestQueue(t *testing.T) {
	const each = 100_000 // ns a frame of 100 bytes (124 on the wire) at 9.92 Mbit/s
	p := impair.NewPipe(impair.Config{Rate: 9_920_000, Queue: 5, Delay: time.Millisecond}, 1)
	for range 3 {
		now := int64(1e9) * int64(p.Frames())
		for i, v := range feed(p, now, 10, 0) {
			want := impair.Verdict{Flip: -1, At: now + int64(i+1)*each + 1e6, Sent: now + int64(i+1)*each}
			if i > 5 {
				want = impair.Verdict{Flip: -1, Drop: impair.Queue}
			}
			if v != want {
				t.Errorf("frame %d of a burst: %+v; want %+v", i, v, want)
			}
		}
		// After two frames' time two have left the queue.
		for i, v := range feed(p, now+2*each, 3, 0) {
			want := impair.Verdict{Flip: -1, At: now + int64(i+7)*each + 1e6, Sent: now + int64(i+7)*each}
			if i > 1 {
				want = impair.Verdict{Flip: -1, Drop: impair.Queue}
			}
			if v != want {
				t.Errorf("frame %d behind the burst: %+v; want %+v", i, v, want)
			}
		}
	}
}

// Lost frames and second copies take their time on the wire.
func TestRateCountsLostAndDoubled(t *testing.T) {
	const each = 100_000
	all := judge(impair.Config{Rate: 9_920_000, Queue: 100, Loss: 0.5}, 1, 50, 0)
	if n := len(lost(all)); n == 0 || n == 50 {
		t.Fatalf("%d of 50 lost", n)
	}
	for i, v := range all {
		if v.Drop == impair.Kept && v.At != int64(i+1)*each {
			t.Errorf("frame %d arrives at %d; want %d", i, v.At, (i+1)*each)
		}
	}
	for i, v := range judge(impair.Config{Rate: 9_920_000, Queue: 3, Duplicate: 1}, 1, 3, 0) {
		want := []impair.Verdict{
			{Flip: -1, At: each, Sent: each, Again: true, AgainAt: 2 * each, AgainSent: 2 * each},
			{Flip: -1, At: 3 * each, Sent: 3 * each, Again: true, AgainAt: 4 * each, AgainSent: 4 * each},
			{Flip: -1, Drop: impair.Queue},
		}[i]
		if v != want {
			t.Errorf("frame %d: %+v; want %+v", i, v, want)
		}
	}
}

// What is under way keeps its time, and what comes later stays behind it.
func TestSetKeepsOrder(t *testing.T) {
	steps := []impair.Config{
		{Delay: 100 * time.Millisecond}, {Delay: time.Millisecond}, {},
		{Rate: 1e6, Queue: 50}, {Rate: 1e6, Queue: 2}, {Rate: 1e9}, {}, {Delay: time.Second, Jitter: time.Second}, {Rate: 1e5, Queue: 10000}, {},
	}
	p := impair.NewPipe(steps[0], 1)
	last := int64(0)
	for i, c := range steps {
		p.Set(c)
		for j, v := range feed(p, int64(i)*1e6, 10, 100*time.Microsecond) {
			if v.Drop == impair.Queue {
				continue
			}
			if v.At < last {
				t.Errorf("step %d, frame %d: at %d, one before it at %d", i, j, v.At, last)
			}
			last = v.At
		}
		if got := p.Config(); got != c {
			t.Errorf("Config() = %+v; want %+v", got, c)
		}
	}
}

// A queue that is made shorter keeps those that wait and lets no more in until
// they are few enough.
func TestShorterQueue(t *testing.T) {
	const each = 100_000
	p := impair.NewPipe(impair.Config{Rate: 9_920_000, Queue: 10}, 1)
	feed(p, 0, 11, 0) // one is sent, ten wait
	p.Set(impair.Config{Rate: 9_920_000, Queue: 4})
	for _, tt := range []struct {
		now  int64 // in frames
		want bool
	}{{0, false}, {5, false}, {6, false}, {7, true}, {7, false}, {8, true}} {
		if v := p.Judge(tt.now*each, size); (v.Drop == impair.Kept) != tt.want {
			t.Errorf("after %d frames' time: %+v; want it kept: %v", tt.now, v, tt.want)
		}
	}
}

// When the rate changes, those that wait are sent at the new one.
func TestResend(t *testing.T) {
	const slow, fast = 100_000, 10_000 // ns a frame
	p := impair.NewPipe(impair.Config{Rate: 9_920_000, Queue: 4, Delay: time.Second}, 1)
	all := feed(p, 0, 5, 0)
	now := int64(3*slow + slow/2) // three are sent, one is being sent, one waits
	p.Set(impair.Config{Rate: 99_200_000, Queue: 1, Delay: time.Second})
	p.Restart(all[2].At)
	for i, v := range all[3:] {
		sent, at := p.Resend(now, size, v.At-v.Sent, false)
		if want := now + int64(i+1)*fast; sent != want || at != want+1e9 {
			t.Errorf("Resend %d = %d, %d; want %d, %d", i, sent, at, want, want+1e9)
		}
	}
	if v := p.Judge(now, size); v.Drop != impair.Queue {
		t.Errorf("a frame behind the one that waits: %+v; want the queue full", v)
	}
	if v := p.Judge(now+fast, size); v.Sent != now+3*fast {
		t.Errorf("a frame behind the one being sent: %+v; want it sent at %d", v, now+3*fast)
	}
	// More than the queue holds now, one that follows no order among them.
	p.Restart(0)
	for i := range 5 {
		if sent, at := p.Resend(0, size, 7, i == 4); sent != int64(i+1)*fast || at != sent+7 {
			t.Errorf("Resend %d = %d, %d; want %d, 7 later", i, sent, at, (i+1)*fast)
		}
	}
	p.Set(impair.Config{})
	p.Restart(0)
	if sent, at := p.Resend(5, size, 7, false); sent != 5 || at != 12 {
		t.Errorf("Resend without a rate = %d, %d; want 5, 12", sent, at)
	}
}

func TestRestart(t *testing.T) {
	p := impair.NewPipe(impair.Config{Rate: 9_920_000, Delay: time.Hour}, 1)
	feed(p, 0, 10, 0)
	p.Set(impair.Config{Rate: 9_920_000})
	p.Restart(0)
	if v := p.Judge(5, size); v.At != 100_005 {
		t.Errorf("after Restart: %+v; want it at 100005", v)
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	p := impair.NewPipe(everything, 1)
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		p.Judge(now, size)
		now += 1e5
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, bb := range []struct {
		name string
		c    impair.Config
	}{
		{"delay", impair.Config{Delay: time.Millisecond}},
		{"loss", impair.Config{Loss: 0.01}},
		{"rate", impair.Config{Rate: 1e9}},
		{"everything", everything},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := impair.NewPipe(bb.c, 1)
			now := int64(0)
			for b.Loop() {
				p.Judge(now, size)
				now += 1e6
			}
		})
	}
}
