package impair

import "math"

// A draw is one of the decisions about a frame.
type draw uint64

const (
	drawLoss draw = iota
	drawBurst
	drawBurstLoss
	drawDuplicate
	drawReorder
	drawCorrupt
	drawBit
	drawJitter
	draws
)

// golden is the odd number nearest to 2^64 divided by the golden ratio: its
// multiples are spread evenly over all 64-bit numbers.
const golden = 0x9e3779b97f4a7c15

// mix is a bijection of 64-bit numbers whose every bit depends on every bit
// (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// stream is one kind of draw for all frames: a random sequence that is read at
// any place without the places before.
type stream uint64

func newStream(seed uint64, d draw) stream {
	return stream(mix(mix(seed+golden) ^ mix((uint64(d)+1)*golden)))
}

// at is the draw for frame n.
func (s stream) at(n uint64) uint64 { return mix(uint64(s) + n*golden) }

// A chance is a probability in steps of 2^-53.
type chance uint64

func chanceOf(p float64) chance { return chance(math.Round(p * (1 << 53))) }

func (c chance) hit(draw uint64) bool { return draw>>11 < uint64(c) }

// unit makes a number between 0 and 1, neither of them included, of a draw.
func unit(draw uint64) float64 { return (float64(draw>>11) + 0.5) / (1 << 53) }

// The Pareto distribution has shape 3 and scale 1, cut off at paretoMax: a
// heavier tail, or one without end, would have no deviation to speak of within
// the frames of a lab. Mean and deviation are those of what is left.
const paretoMax = 20

var (
	paretoMean      = 1.5 - 1.0/(2*paretoMax*paretoMax)
	paretoDeviation = math.Sqrt(3 - 2.0/paretoMax - paretoMean*paretoMean)
)

// deviate turns a draw into a deviation from the mean, in jitters.
func (d Distribution) deviate(draw uint64) float64 {
	u := unit(draw)
	switch d {
	case Normal:
		return math.Sqrt2 * math.Erfinv(2*u-1)
	case Pareto:
		return (min(1/math.Cbrt(u), paretoMax) - paretoMean) / paretoDeviation
	}
	return 2*u - 1
}
