package impair

import (
	"errors"
	"fmt"
	"time"
)

// Limits of a Config.
const (
	MaxDelay = time.Hour // of Delay and of Jitter
	MinRate  = 1e3       // bit/s
	MaxRate  = 1e12      // bit/s
	MaxQueue = 10000     // frames

	// DefaultQueue is how many frames wait where a Rate is given and no Queue:
	// 120 ms of full frames at 10 Mbit/s.
	DefaultQueue = 100
)

// Config is what one direction of one cable does to frames. The zero value is a
// perfect wire. In JSON the names are in small letters, zero values are left
// out, and the values may be written as in a lab: see UnmarshalJSON.
type Config struct {
	Delay        time.Duration // from sent to arrived, on average
	Jitter       time.Duration // how far it spreads: see Distribution
	Distribution Distribution  // of the jitter; empty is Uniform

	Loss      float64         // share of frames lost, each on its own: 0…1, as all shares
	Burst     *GilbertElliott // loss in bursts, beside Loss
	Duplicate float64         // share of frames that arrive twice
	Reorder   float64         // share of frames that are not delayed and overtake others; needs a Delay
	Corrupt   float64         // share of frames with one bit inverted

	// Rate is the speed in bit/s of an Ethernet that carries the frames: each
	// counts its bytes, 60 at least, and 24 more for preamble, checksum and
	// gap, so that at 10M at most 14,880 small or 812 full frames pass in a
	// second. 0 is infinitely fast.
	Rate  int64
	Queue int // frames that may wait for their turn, the one being sent not counted; 0 means DefaultQueue
}

// Distribution is how delays spread around their mean.
type Distribution string

// The distributions. A delay that would be below zero is zero.
const (
	Uniform Distribution = "uniform" // evenly, from Delay-Jitter to Delay+Jitter
	Normal  Distribution = "normal"  // Jitter is the standard deviation
	Pareto  Distribution = "pareto"  // mostly a little early (0.6 Jitter), seldom very late (up to 23 Jitter); Jitter is the standard deviation
)

// GilbertElliott is a wire that is at times good and at times bad. It begins
// good. After each frame it may change: a bad time lasts 1/BadToGood frames on
// average, a good one 1/GoodToBad, and GoodToBad/(GoodToBad+BadToGood) of all
// frames meet a bad wire.
type GilbertElliott struct {
	GoodToBad float64 // chance after a frame
	BadToGood float64
	LossGood  float64 // share of frames lost while good
	LossBad   float64 // while bad; 0 means 1, for a bad wire that loses nothing would not be bad
}

// Perfect says whether c does nothing to any frame.
func (c Config) Perfect() bool {
	c.Distribution, c.Queue = "", 0 // shape what is not there
	return c == Config{}
}

// Clone returns a copy that shares nothing with c.
func (c Config) Clone() Config {
	if c.Burst != nil {
		own := *c.Burst
		c.Burst = &own
	}
	return c
}

// Check returns an error that names everything that is wrong with c, if
// anything is.
func (c Config) Check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	time := func(name string, d time.Duration) {
		if d < 0 || d > MaxDelay {
			bad("%s is %v; want 0s to %v", name, d, MaxDelay)
		}
	}
	share := func(name string, f float64) {
		if !(f >= 0 && f <= 1) { // NaN is neither
			bad("%s is %v; want a share from 0 to 1, or 0%% to 100%%", name, f)
		}
	}
	time("delay", c.Delay)
	time("jitter", c.Jitter)
	switch c.Distribution {
	case "", Uniform, Normal, Pareto:
	default:
		bad("distribution is %q; want uniform, normal or pareto", c.Distribution)
	}
	share("loss", c.Loss)
	if b := c.Burst; b != nil {
		share("burst.good_to_bad", b.GoodToBad)
		share("burst.bad_to_good", b.BadToGood)
		share("burst.loss_good", b.LossGood)
		share("burst.loss_bad", b.LossBad)
	}
	share("duplicate", c.Duplicate)
	share("reorder", c.Reorder)
	share("corrupt", c.Corrupt)
	if c.Reorder > 0 && c.Delay == 0 && c.Jitter == 0 {
		bad("reorder needs a delay: a frame overtakes those that are delayed")
	}
	if c.Rate != 0 && (c.Rate < MinRate || c.Rate > MaxRate) {
		bad("rate is %d bit/s; want %s to %s, such as 10M", c.Rate, FormatRate(MinRate), FormatRate(MaxRate))
	}
	if c.Queue < 0 || c.Queue > MaxQueue {
		bad("queue is %d; want at most %d frames", c.Queue, MaxQueue)
	}
	if c.Queue > 0 && c.Rate == 0 {
		bad("queue needs a rate: nothing waits for a wire that is infinitely fast")
	}
	return errors.Join(errs...)
}
