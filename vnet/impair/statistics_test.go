package impair_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/impair"
)

// The seeds are fixed, so each of these tests passes always or never. The
// bounds are those that a fair generator keeps with all but one seed in some
// ten thousand.
const (
	many   = 200_000
	sigmas = 4
)

// within says whether a share of n draws lies as near to p as chance allows.
func within(got, p float64, n int) bool {
	return math.Abs(got-p) <= sigmas*math.Sqrt(p*(1-p)/float64(n))
}

func share(all []impair.Verdict, f func(impair.Verdict) bool) float64 {
	n := 0
	for _, v := range all {
		if f(v) {
			n++
		}
	}
	return float64(n) / float64(len(all))
}

func TestShares(t *testing.T) {
	for _, p := range []float64{0, 0.0005, 0.01, 0.1, 0.5, 0.99, 1} {
		for name, tt := range map[string]struct {
			c impair.Config
			f func(impair.Verdict) bool
		}{
			"loss":      {impair.Config{Loss: p}, func(v impair.Verdict) bool { return v.Drop == impair.Lost }},
			"duplicate": {impair.Config{Duplicate: p}, func(v impair.Verdict) bool { return v.Again }},
			"corrupt":   {impair.Config{Corrupt: p}, func(v impair.Verdict) bool { return v.Flip >= 0 }},
			"reorder":   {impair.Config{Reorder: p, Delay: 1}, func(v impair.Verdict) bool { return v.Reorder }},
		} {
			if got := share(judge(tt.c, 11, many, time.Second), tt.f); !within(got, p, many) {
				t.Errorf("%s %v: happened to %v of the frames", name, p, got)
			}
		}
	}
}

// Loss of one frame says nothing about the next ones, nor about what else
// happens.
func TestIndependence(t *testing.T) {
	all := judge(impair.Config{Loss: 0.3, Corrupt: 0.3, Duplicate: 0.3, Delay: 1, Reorder: 0.3}, 12, many, time.Second)
	is := func(i int) bool { return all[i].Drop == impair.Lost }
	for _, lag := range []int{1, 2, 3, 7, 64, 1000} {
		both := 0
		for i := lag; i < many; i++ {
			if is(i) && is(i-lag) {
				both++
			}
		}
		if got := float64(both) / float64(many-lag); !within(got, 0.09, many) {
			t.Errorf("frames %d apart are both lost in %v of all cases; want 0.09", lag, got)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(v impair.Verdict) bool { return v.Drop != impair.Kept })
	for name, f := range map[string]func(impair.Verdict) bool{
		"corrupted and doubled":   func(v impair.Verdict) bool { return v.Flip >= 0 && v.Again },
		"corrupted and reordered": func(v impair.Verdict) bool { return v.Flip >= 0 && v.Reorder },
		"doubled and reordered":   func(v impair.Verdict) bool { return v.Again && v.Reorder },
	} {
		if got := share(kept, f); !within(got, 0.09, len(kept)) {
			t.Errorf("%v of the frames that were kept are %s; want 0.09", got, name)
		}
	}
	for name, f := range map[string]func(impair.Verdict) bool{
		"corrupted": func(v impair.Verdict) bool { return v.Flip >= 0 },
		"doubled":   func(v impair.Verdict) bool { return v.Again },
		"reordered": func(v impair.Verdict) bool { return v.Reorder },
	} {
		if got := share(kept, f); !within(got, 0.3, len(kept)) {
			t.Errorf("%v of the frames that were kept are %s; want 0.3", got, name)
		}
	}
}

func TestGilbertElliott(t *testing.T) {
	for _, g := range []impair.GilbertElliott{
		{GoodToBad: 0.01, BadToGood: 0.25},
		{GoodToBad: 0.001, BadToGood: 0.05, LossBad: 1},
		{GoodToBad: 0.05, BadToGood: 0.5, LossGood: 0.01, LossBad: 0.6},
		{GoodToBad: 0.3, BadToGood: 0.3, LossGood: 0.2, LossBad: 0.8},
	} {
		all := judge(impair.Config{Burst: &g}, 13, many, 0)
		lossBad := g.LossBad
		if lossBad == 0 {
			lossBad = 1
		}
		bad := g.GoodToBad / (g.GoodToBad + g.BadToGood)
		want := (1-bad)*g.LossGood + bad*lossBad
		// Frames of one bad time are alike: as if there were that many fewer.
		alike := (2 - g.GoodToBad - g.BadToGood) / (g.GoodToBad + g.BadToGood)
		n := int(many / alike)
		if got := share(all, func(v impair.Verdict) bool { return v.Drop == impair.Lost }); !within(got, want, n) {
			t.Errorf("%+v: %v of the frames lost; want %v", g, got, want)
		}
		if g.LossGood != 0 || lossBad != 1 {
			continue
		}
		// Where bad loses all and good nothing, bursts are the bad times:
		// 1/BadToGood frames long on average, of length k with chance
		// BadToGood·(1-BadToGood)^(k-1), GoodToBad·good of all frames apart.
		lengths := map[int]int{}
		bursts, sum := 0, 0
		run := 0
		for _, v := range all {
			switch {
			case v.Drop == impair.Lost:
				run++
			case run > 0:
				lengths[run]++
				bursts++
				sum += run
				run = 0
			}
		}
		r := g.BadToGood
		mean, deviation := 1/r, math.Sqrt(1-r)/r
		if got := float64(sum) / float64(bursts); math.Abs(got-mean) > sigmas*deviation/math.Sqrt(float64(bursts)) {
			t.Errorf("%+v: bursts are %v frames long; want %v", g, got, mean)
		}
		for k := 1; k <= 5; k++ {
			if got, want := float64(lengths[k])/float64(bursts), r*math.Pow(1-r, float64(k-1)); !within(got, want, bursts) {
				t.Errorf("%+v: %v of the bursts are %d frames long; want %v", g, got, k, want)
			}
		}
		if got, want := float64(bursts)/many, bad*r; !within(got, want, many) {
			t.Errorf("%+v: a burst ends after %v of the frames; want %v", g, got, want)
		}
	}
}

// A state without an end is one.
func TestGilbertElliottExtremes(t *testing.T) {
	for _, tt := range []struct {
		g    impair.GilbertElliott
		want int // lost of 1000
	}{
		{impair.GilbertElliott{}, 0},
		{impair.GilbertElliott{BadToGood: 1}, 0},
		{impair.GilbertElliott{GoodToBad: 1}, 999},
		{impair.GilbertElliott{GoodToBad: 1, BadToGood: 1}, 500},
		{impair.GilbertElliott{LossGood: 1}, 1000},
	} {
		if got := len(lost(judge(impair.Config{Burst: &tt.g}, 1, 1000, 0))); got != tt.want {
			t.Errorf("%+v lost %d of 1000; want %d", tt.g, got, tt.want)
		}
	}
}

// Every bit behind the header is as likely as any other.
func TestCorruptedBits(t *testing.T) {
	const size, bits = 34, 8 * (34 - 14)
	p := impair.NewPipe(impair.Config{Corrupt: 1}, 14)
	var hits [8 * size]int
	for range many {
		f := make([]byte, size)
		p.Judge(0, size).Corrupt(f)
		for i := range hits {
			if f[i/8]>>(i%8)&1 == 1 {
				hits[i]++
			}
		}
	}
	chi := 0.0
	for i, n := range hits {
		if i < 8*14 {
			if n != 0 {
				t.Errorf("bit %d of the header was hit %d times", i, n)
			}
			continue
		}
		d := float64(n) - many/float64(bits)
		chi += d * d / (many / float64(bits))
	}
	// chi² of bits-1 degrees of freedom has that mean and twice that variance.
	if mean := float64(bits - 1); math.Abs(chi-mean) > sigmas*math.Sqrt(2*mean) {
		t.Errorf("chi² of the bits hit is %v; want about %v", chi, mean)
	}
	if v := p.Judge(0, 14); v.Flip != -1 {
		t.Errorf("a frame without content: %+v; want nothing to flip", v)
	}
}

func TestJitter(t *testing.T) {
	const delay, jitter = 500 * time.Millisecond, 10 * time.Millisecond
	paretoMean, paretoMax := 1.5-1/800.0, 20.0
	paretoDeviation := math.Sqrt(3 - 2/paretoMax - paretoMean*paretoMean)
	for _, tt := range []struct {
		d         impair.Distribution
		deviation float64                 // in jitters
		cdf       func(x float64) float64 // of the deviation from the delay, in jitters
		low, high float64                 // bounds, in jitters
		tolerance float64                 // of the deviation: sigmas times sqrt((kurtosis-1)/many)/2
	}{
		{"", 1 / math.Sqrt(3), func(x float64) float64 { return (x + 1) / 2 }, -1, 1, 0.003},
		{impair.Uniform, 1 / math.Sqrt(3), func(x float64) float64 { return (x + 1) / 2 }, -1, 1, 0.003},
		{impair.Normal, 1, func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }, -9, 9, 0.0045},
		{impair.Pareto, 1, func(x float64) float64 {
			y := x*paretoDeviation + paretoMean
			if y >= paretoMax {
				return 1
			}
			return 1 - math.Pow(y, -3)
		}, -0.617, 22.9, 0.031},
	} {
		xs := make([]float64, 0, many)
		for i, v := range judge(impair.Config{Delay: delay, Jitter: jitter, Distribution: tt.d}, 15, many, time.Second) {
			xs = append(xs, float64(v.At-int64(i)*1e9-int64(delay))/float64(jitter))
		}
		slices.Sort(xs)
		var sum, squares, distance float64
		for i, x := range xs {
			sum += x
			squares += x * x
			// Where the tail is cut off many are equal: the step is taken whole.
			if i+1 == len(xs) || xs[i+1] != x {
				distance = max(distance, math.Abs(tt.cdf(x)-float64(i+1)/many))
			}
		}
		mean := sum / many
		deviation := math.Sqrt(squares/many - mean*mean)
		if math.Abs(mean) > sigmas*tt.deviation/math.Sqrt(many) {
			t.Errorf("%s: the mean is %v jitters off the delay", tt.d, mean)
		}
		if math.Abs(deviation/tt.deviation-1) > tt.tolerance {
			t.Errorf("%s: the deviation is %v jitters; want %v", tt.d, deviation, tt.deviation)
		}
		// Kolmogorov–Smirnov at one in ten thousand.
		if distance > 2.23/math.Sqrt(many) {
			t.Errorf("%s: the distribution is up to %v off; want at most %v", tt.d, distance, 2.23/math.Sqrt(many))
		}
		if xs[0] < tt.low || xs[many-1] > tt.high {
			t.Errorf("%s: from %v to %v jitters; want %v to %v", tt.d, xs[0], xs[many-1], tt.low, tt.high)
		}
	}
}

// A delay is never negative.
func TestJitterBeyondDelay(t *testing.T) {
	early := 0
	for i, v := range judge(impair.Config{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}, 16, 10000, time.Second) {
		switch now := int64(i) * 1e9; {
		case v.At < now:
			t.Fatalf("frame %d, sent at %d, arrives at %d", i, now, v.At)
		case v.At == now:
			early++
		}
	}
	if got := float64(early) / 10000; !within(got, 0.45, 10000) {
		t.Errorf("%v of the frames arrive at once; want 0.45", got)
	}
}
