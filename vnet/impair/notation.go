package impair

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// notation is a Config as it is written.
type notation struct {
	Delay        duration     `json:"delay,omitzero"`
	Jitter       duration     `json:"jitter,omitzero"`
	Distribution Distribution `json:"distribution,omitempty"`
	Loss         share        `json:"loss,omitzero"`
	Burst        *burst       `json:"burst,omitempty"`
	Duplicate    share        `json:"duplicate,omitzero"`
	Reorder      share        `json:"reorder,omitzero"`
	Corrupt      share        `json:"corrupt,omitzero"`
	Rate         rate         `json:"rate,omitzero"`
	Queue        int          `json:"queue,omitzero"`
}

type burst struct {
	GoodToBad share `json:"good_to_bad"`
	BadToGood share `json:"bad_to_good"`
	LossGood  share `json:"loss_good,omitzero"`
	LossBad   share `json:"loss_bad,omitzero"`
}

// MarshalJSON writes times as strings such as "20ms", shares as numbers from 0
// to 1, and rates as strings such as "10M" where that is exact, else in bit/s.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(notation{
		Delay: duration(c.Delay), Jitter: duration(c.Jitter), Distribution: c.Distribution,
		Loss: share(c.Loss), Burst: (*burst)(c.Burst.notation()),
		Duplicate: share(c.Duplicate), Reorder: share(c.Reorder), Corrupt: share(c.Corrupt),
		Rate: rate(c.Rate), Queue: c.Queue,
	})
}

func (g *GilbertElliott) notation() *burst {
	if g == nil {
		return nil
	}
	return &burst{share(g.GoodToBad), share(g.BadToGood), share(g.LossGood), share(g.LossBad)}
}

// UnmarshalJSON reads times as strings ("20ms", "1.5s"; a bare 0 is fine too),
// shares as numbers from 0 to 1 or strings such as "1.5%", and rates as strings
// (see ParseRate) or numbers in bit/s. What is not given is zero. A name that
// there is not is an error, so that a misspelt one does not pass for a perfect
// wire. Values are not checked: see Check.
func (c *Config) UnmarshalJSON(b []byte) error {
	var n notation
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return fmt.Errorf("reading an impairment: %w", err)
	}
	*c = Config{
		Delay: time.Duration(n.Delay), Jitter: time.Duration(n.Jitter), Distribution: n.Distribution,
		Loss: float64(n.Loss), Duplicate: float64(n.Duplicate), Reorder: float64(n.Reorder), Corrupt: float64(n.Corrupt),
		Rate: int64(n.Rate), Queue: n.Queue,
	}
	if g := n.Burst; g != nil {
		c.Burst = &GilbertElliott{float64(g.GoodToBad), float64(g.BadToGood), float64(g.LossGood), float64(g.LossBad)}
	}
	return nil
}

type duration time.Duration

func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *duration) UnmarshalJSON(b []byte) error {
	s := unquote(b)
	t, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no time: want one such as 20ms or 1.5s", s)
	}
	*d = duration(t)
	return nil
}

type share float64

func (f *share) UnmarshalJSON(b []byte) error {
	s := unquote(b)
	v, err := ParseShare(s)
	*f = share(v)
	return err
}

// ParseShare reads "0.015" or "1.5%".
func ParseShare(s string) (float64, error) {
	n, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no share: want a number from 0 to 1, or one with %%, such as 1.5%%", s)
	}
	if percent {
		f /= 100
	}
	return f, nil
}

type rate int64

func (r rate) MarshalJSON() ([]byte, error) {
	s := FormatRate(int64(r))
	if s[len(s)-1] >= '0' && s[len(s)-1] <= '9' {
		return []byte(s), nil
	}
	return json.Marshal(s)
}

func (r *rate) UnmarshalJSON(b []byte) error {
	s := unquote(b)
	v, err := ParseRate(s)
	*r = rate(v)
	return err
}

// units of a rate, the largest first.
var units = []struct {
	name string
	size int64
}{{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}}

// ParseRate reads a rate in bit/s: a number, and after it k, M, G or T (of
// 1000, in small or large letters) and "bit" or "bit/s" or none of them.
func ParseRate(s string) (int64, error) {
	n := strings.TrimSpace(s)
	n = strings.TrimSuffix(strings.TrimSuffix(n, "/s"), "bit")
	size := int64(1)
	for _, u := range units {
		if l := len(n) - 1; l > 0 && strings.EqualFold(n[l:], u.name) {
			n, size = n[:l], u.size
			break
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	if err != nil || !(f >= 0 && f*float64(size) <= MaxRate) {
		return 0, fmt.Errorf("%q is no rate: want bits a second up to 1T, such as 10M, 512k or 1000000", s)
	}
	return int64(f*float64(size) + 0.5), nil
}

// FormatRate writes a rate so that ParseRate reads the same: "10M", "1500k",
// "1000001".
func FormatRate(bits int64) string {
	for _, u := range units {
		if bits != 0 && bits%u.size == 0 {
			return strconv.FormatInt(bits/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(bits, 10)
}

// unquote returns the text of a JSON string, or a number as it stands.
func unquote(b []byte) string {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}
