package impair_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/impair"
)

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want impair.Config
		out  string // empty: as in
	}{
		{`{}`, impair.Config{}, ""},
		{`null`, impair.Config{}, `{}`},
		{`{"delay":"20ms","jitter":"2ms"}`, impair.Config{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond}, ""},
		{`{"delay":"1.5s","jitter":"0"}`, impair.Config{Delay: 1500 * time.Millisecond}, `{"delay":"1.5s"}`},
		{`{"delay":0}`, impair.Config{}, `{}`},
		{`{"loss":"1%"}`, impair.Config{Loss: 0.01}, `{"loss":0.01}`},
		{`{"loss":0.015,"duplicate":"2.5 %","reorder":1,"corrupt":"0"}`,
			impair.Config{Loss: 0.015, Duplicate: 0.025, Reorder: 1}, `{"loss":0.015,"duplicate":0.025,"reorder":1}`},
		{`{"burst":{"good_to_bad":"1%","bad_to_good":0.25}}`,
			impair.Config{Burst: &impair.GilbertElliott{GoodToBad: 0.01, BadToGood: 0.25}},
			`{"burst":{"good_to_bad":0.01,"bad_to_good":0.25}}`},
		{`{"burst":{"good_to_bad":0.01,"bad_to_good":0.25,"loss_good":0.001,"loss_bad":0.5}}`,
			impair.Config{Burst: &impair.GilbertElliott{GoodToBad: 0.01, BadToGood: 0.25, LossGood: 0.001, LossBad: 0.5}}, ""},
		{`{"distribution":"pareto","rate":"10M","queue":50}`, impair.Config{Distribution: impair.Pareto, Rate: 10e6, Queue: 50}, ""},
		{`{"rate":10000000}`, impair.Config{Rate: 10e6}, `{"rate":"10M"}`},
		{`{"rate":"1000001"}`, impair.Config{Rate: 1000001}, `{"rate":1000001}`},
		{`{"rate":"1.5mbit/s"}`, impair.Config{Rate: 1.5e6}, `{"rate":"1500k"}`},
		{`{"rate":"512 kbit"}`, impair.Config{Rate: 512e3}, `{"rate":"512k"}`},
		{`{"rate":"2G"}`, impair.Config{Rate: 2e9}, ""},
		{`{"rate":"800bit"}`, impair.Config{Rate: 800}, `{"rate":800}`},
	} {
		var c impair.Config
		if err := json.Unmarshal([]byte(tt.in), &c); err != nil {
			t.Errorf("Unmarshal(%s): %v", tt.in, err)
			continue
		}
		if !reflect.DeepEqual(c, tt.want) {
			t.Errorf("Unmarshal(%s) = %+v; want %+v", tt.in, c, tt.want)
		}
		if tt.out == "" {
			tt.out = tt.in
		}
		b, err := json.Marshal(struct{ C impair.Config }{c})
		if want := `{"C":` + tt.out + `}`; err != nil || string(b) != want {
			t.Errorf("Marshal(%+v) = %s, %v; want %s", c, b, err, want)
		}
	}
}

func TestJSONMistakes(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"dealy":"20ms"}`, `unknown field "dealy"`},
		{`{"burst":{"p":1}}`, `unknown field "p"`},
		{`{"delay":20}`, `"20" is no time: want one such as 20ms`},
		{`{"delay":"soon"}`, `"soon" is no time`},
		{`{"loss":"often"}`, `"often" is no share`},
		{`{"loss":true}`, `"true" is no share`},
		{`{"rate":"10X"}`, `"10X" is no rate`},
		{`{"rate":"M"}`, `"M" is no rate`},
		{`{"rate":"-1M"}`, `"-1M" is no rate`},
		{`{"rate":"NaN"}`, `"NaN" is no rate`},
		{`{"rate":"2T"}`, `"2T" is no rate`},
		{`[]`, `reading an impairment`},
	} {
		var c impair.Config
		if err := json.Unmarshal([]byte(tt.in), &c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Unmarshal(%s): %v; want %q in it", tt.in, err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		c    impair.Config
		want string // parts of the error, | between; empty: none
	}{
		{impair.Config{}, ""},
		{impair.Config{Delay: impair.MaxDelay, Jitter: time.Second, Distribution: impair.Normal, Loss: 1, Reorder: 1, Rate: 1e12, Queue: impair.MaxQueue}, ""},
		{impair.Config{Rate: 1000, Burst: &impair.GilbertElliott{GoodToBad: 1, BadToGood: 1}}, ""},
		{impair.Config{Jitter: time.Second, Reorder: 0.1}, ""},
		{impair.Config{Delay: -1}, "delay is -1ns; want 0s to 1h0m0s"},
		{impair.Config{Jitter: 2 * time.Hour}, "jitter is 2h0m0s"},
		{impair.Config{Loss: 1.1, Duplicate: -0.1, Reorder: math.NaN(), Corrupt: math.Inf(1)}, "loss is 1.1|duplicate is -0.1|reorder is NaN|corrupt is +Inf"},
		{impair.Config{Burst: &impair.GilbertElliott{GoodToBad: 2, BadToGood: 3, LossGood: 4, LossBad: 5}},
			"burst.good_to_bad is 2|burst.bad_to_good is 3|burst.loss_good is 4|burst.loss_bad is 5"},
		{impair.Config{Distribution: "gauss"}, `distribution is "gauss"; want uniform, normal or pareto`},
		{impair.Config{Reorder: 0.1}, "reorder needs a delay"},
		{impair.Config{Rate: 10}, "rate is 10 bit/s; want 1k to 1T, such as 10M"},
		{impair.Config{Rate: -1}, "rate is -1 bit/s"},
		{impair.Config{Rate: 1e13}, "rate is 10000000000000 bit/s"},
		{impair.Config{Rate: 1e6, Queue: -1}, "queue is -1; want at most 10000 frames"},
		{impair.Config{Rate: 1e6, Queue: impair.MaxQueue + 1}, "queue is 10001"},
		{impair.Config{Queue: 10}, "queue needs a rate"},
	} {
		err := tt.c.Check()
		if tt.want == "" {
			if err != nil {
				t.Errorf("Check(%+v) = %v; want none", tt.c, err)
			}
			continue
		}
		for want := range strings.SplitSeq(tt.want, "|") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Check(%+v) = %v; want %q in it", tt.c, err, want)
			}
		}
	}
}

func TestPerfect(t *testing.T) {
	for _, c := range []impair.Config{{}, {Distribution: impair.Normal}, {Queue: 5}} {
		if !c.Perfect() {
			t.Errorf("%+v is not perfect", c)
		}
	}
	for _, c := range []impair.Config{
		{Delay: 1}, {Jitter: 1}, {Loss: 0.1}, {Burst: &impair.GilbertElliott{}}, {Duplicate: 0.1},
		{Reorder: 0.1}, {Corrupt: 0.1}, {Rate: 1000},
	} {
		if c.Perfect() {
			t.Errorf("%+v is perfect", c)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"delay":"20ms","jitter":"2ms","distribution":"normal","loss":"1%","rate":"10M","queue":50}`))
	f.Add([]byte(`{"burst":{"good_to_bad":"1%","bad_to_good":0.25},"reorder":1,"delay":"1h"}`))
	f.Add([]byte(`{"rate":"1e3k","corrupt":1,"duplicate":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again impair.Config
		if json.Unmarshal(b, &c) != nil || c.Check() != nil {
			return
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("Marshal(%+v): %v", c, err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%s became %+v, written %s, read %+v, %v", b, c, out, again, err)
		}
		p := impair.NewPipe(c, 1)
		frame := make([]byte, 64)
		for now := range int64(50) {
			v := p.Judge(now, int(14+now))
			v.Corrupt(frame[:14+now])
			if v.Drop == impair.Kept && (v.At < now || v.Again && v.AgainAt < v.At) {
				t.Errorf("%+v at %d: %+v", c, now, v)
			}
		}
	})
}
