package grade_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

// report makes one of "NAME OUTCOME WORTH" lines.
func report(t *testing.T, boot grade.Boot, lines ...string) *grade.Report {
	t.Helper()
	r := &grade.Report{Lab: "two-hosts", Digest: "abc", Boot: boot, Started: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Took: 1234 * time.Millisecond}
	for _, l := range lines {
		var c grade.Result
		if _, err := fmt.Sscan(l, &c.Check, &c.Outcome, &c.Worth); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		c.Title, c.Kind, c.Trust = "check “"+c.Check+"” <&>\x1b", "ping", grade.Wire
		c.Expected, c.Seen, c.Hint, c.Look = "10.0.0.1 answers", "nothing & nobody", "Is it on?", "ip address on pc1"
		c.Took = 20 * time.Millisecond
		if c.Outcome == grade.Pass {
			c.Points = c.Worth
		}
		r.Results = append(r.Results, c)
	}
	r.Sum()
	return r
}

func TestScore(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lines     []string
		score, of float64
		ok        bool
	}{
		{"all", []string{"a pass 2", "b pass 1"}, 3, 3, true},
		{"some", []string{"a pass 2", "b fail 1", "c skipped 1"}, 2, 4, true},
		{"not judged costs nothing", []string{"a pass 6", "b fail 2", "c error 2"}, 7.5, 10, true},
		{"not judged gives nothing", []string{"a fail 8", "c error 2"}, 0, 10, true},
		{"nothing judged", []string{"a error 1"}, 0, 1, false},
		{"nothing to judge with points", []string{"a error 1", "b pass 0"}, 0, 1, false},
		{"no points", []string{"a pass 0"}, 0, 0, true},
		{"thirds", []string{"a pass 0.1", "b pass 0.2", "c error 0.3"}, 0.6, 0.6, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			score, of, ok := report(t, grade.Live, tt.lines...).Score()
			if score != tt.score || of != tt.of || ok != tt.ok {
				t.Errorf("%v of %v, %v; want %v of %v, %v", score, of, ok, tt.score, tt.of, tt.ok)
			}
		})
	}
}

func TestPair(t *testing.T) {
	for _, tt := range []struct {
		live, fresh string // empty: it need not survive a boot
		want        grade.Outcome
		lost        bool
	}{
		{"pass", "pass", grade.Pass, false},
		{"pass", "fail", grade.Fail, true},
		{"pass", "skipped", grade.Skipped, true},
		{"pass", "error", grade.Error, false},
		{"pass", "", grade.Pass, false},
		{"fail", "pass", grade.Fail, false},
		{"fail", "error", grade.Fail, false},
		{"fail", "", grade.Fail, false},
		{"skipped", "pass", grade.Skipped, false},
		{"error", "pass", grade.Error, false},
		{"error", "fail", grade.Fail, false},
		{"error", "error", grade.Error, false},
	} {
		t.Run(tt.live+" then "+tt.fresh, func(t *testing.T) {
			p := grade.Pair{Live: report(t, grade.Live, "a "+tt.live+" 2", "z pass 1"), Fresh: report(t, grade.Fresh, "z pass 1")}
			if tt.fresh != "" {
				p.Fresh = report(t, grade.Fresh, "a "+tt.fresh+" 2", "z pass 1")
			}
			f := p.Final()
			if got := f.Results[0].Outcome; got != tt.want {
				t.Errorf("it counts as %s, want %s", got, tt.want)
			}
			points := 1.0
			if tt.want == grade.Pass {
				points = 3
			}
			if f.Points != points {
				t.Errorf("%v points, want %v", f.Points, points)
			}
			if lost := slices.Contains(p.Lost(), "a"); lost != tt.lost {
				t.Errorf("lost: %v, want %v", lost, tt.lost)
			}
			if said := strings.Contains(f.Results[0].Seen, "not after a fresh boot"); said != tt.lost {
				t.Errorf("its Seen is %q", f.Results[0].Seen)
			}
			if p.Live.Results[0].Outcome != grade.Outcome(tt.live) {
				t.Error("Final changed the live report")
			}
		})
	}
	only := grade.Pair{Live: report(t, grade.Live, "a pass 1")}.Final()
	if only.Points != 1 || len(only.Warnings) != 1 {
		t.Errorf("without a fresh boot: %v points, warnings %q", only.Points, only.Warnings)
	}
}

func TestSeen(t *testing.T) {
	r := report(t, grade.Live, "a pass 1", "b pass 1", "c fail 1", "d error 1")
	r.Results[1].Visible, r.Results[2].Visible = grade.After, grade.Never
	r.Results[3].Seen = "the helper guest has no memory"
	for due, want := range map[bool]string{false: "a d", true: "a b d"} {
		s := r.Seen(due)
		var names []string
		for _, c := range s.Results {
			names = append(names, c.Check)
		}
		if got := strings.Join(names, " "); got != want || s.Worth != float64(len(names)-1) {
			t.Errorf("due %v: %s of %v points, want %s", due, got, s.Worth, want)
		}
		if last := s.Results[len(s.Results)-1]; strings.Contains(last.Seen, "memory") {
			t.Errorf("a student reads %q", last.Seen)
		}
	}
	if len(r.Results) != 4 || !strings.Contains(r.Results[3].Seen, "memory") {
		t.Error("Seen changed the report")
	}
}

// junitSchema is what CI servers' schema asks for: attributes that an element
// must have and may have, and its children in order.
var junitSchema = map[string]struct{ must, may, children []string }{
	"testsuites": {[]string{"name", "tests", "failures", "errors", "time"}, nil, []string{"testsuite"}},
	"testsuite": {[]string{"name", "tests", "failures", "errors", "time"}, []string{"skipped", "timestamp", "hostname", "id", "package"},
		[]string{"properties", "testcase", "system-out", "system-err"}},
	"properties": {nil, nil, []string{"property"}},
	"property":   {[]string{"name", "value"}, nil, nil},
	"testcase":   {[]string{"name", "classname", "time"}, []string{"status", "assertions"}, []string{"skipped", "error", "failure", "system-out", "system-err"}},
	"skipped":    {nil, []string{"message"}, nil},
	"error":      {nil, []string{"message", "type"}, nil},
	"failure":    {nil, []string{"message", "type"}, nil},
	"system-out": {nil, nil, nil},
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := report(t, grade.Live, "a pass 1", "b fail 1", "c error 1", "d skipped 1").WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&b)
	var way []string
	at := []int{0}
	seen := map[string]int{}
	attrs := map[string]string{}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			name := e.Name.Local
			seen[name]++
			rule, known := junitSchema[name]
			if !known {
				t.Fatalf("<%s> is no element of JUnit", name)
			}
			has := map[string]bool{}
			for _, a := range e.Attr {
				has[a.Name.Local] = true
				attrs[name+" "+a.Name.Local] = a.Value
				if !slices.Contains(rule.must, a.Name.Local) && !slices.Contains(rule.may, a.Name.Local) {
					t.Errorf("<%s %s> is unknown", name, a.Name.Local)
				}
			}
			for _, m := range rule.must {
				if !has[m] {
					t.Errorf("<%s> has no %s", name, m)
				}
			}
			if len(way) > 0 {
				i := slices.Index(junitSchema[way[len(way)-1]].children, name)
				if i < at[len(at)-1] {
					t.Errorf("<%s> stands at a wrong place in <%s>", name, way[len(way)-1])
				}
				at[len(at)-1] = i
			}
			way, at = append(way, name), append(at, 0)
		case xml.EndElement:
			way, at = way[:len(way)-1], at[:len(at)-1]
		}
	}
	for name, n := range map[string]int{"testsuite": 1, "testcase": 4, "failure": 1, "error": 1, "skipped": 1, "system-out": 1} {
		if seen[name] != n {
			t.Errorf("%d <%s>, want %d", seen[name], name, n)
		}
	}
	for a, want := range map[string]string{"testsuite tests": "4", "testsuite failures": "1", "testsuite errors": "1", "testsuite skipped": "1",
		"testsuite time": "1.234", "testcase classname": "two-hosts.wire.ping", "failure message": "nothing & nobody"} {
		if attrs[a] != want {
			t.Errorf("%s is %q, want %q", a, attrs[a], want)
		}
	}
}

func TestGradescope(t *testing.T) {
	r := report(t, grade.Live, "a pass 6", "b fail 2", "c error 2", "d pass 0")
	r.Results[1].Visible, r.Results[3].Visible = grade.After, grade.Never
	var b bytes.Buffer
	if err := r.WriteGradescope(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Score float64
		Tests []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Score != 7.5 || len(got.Tests) != 4 {
		t.Fatalf("score %v, %d tests", got.Score, len(got.Tests))
	}
	for i, want := range []map[string]any{
		{"score": 6.0, "max_score": 6.0, "status": "passed", "visibility": "visible"},
		{"score": 0.0, "max_score": 2.0, "status": "failed", "visibility": "after_due_date"},
		{"score": 0.0, "max_score": 2.0, "status": nil, "visibility": "visible"},
		{"score": 0.0, "max_score": 0.0, "status": "passed", "visibility": "hidden"},
	} {
		for k, v := range want {
			if got.Tests[i][k] != v {
				t.Errorf("test %d: %s is %v, want %v", i, k, got.Tests[i][k], v)
			}
		}
		for _, k := range []string{"name", "output", "tags", "number"} {
			if got.Tests[i][k] == nil {
				t.Errorf("test %d has no %s", i, k)
			}
		}
	}
	if err := report(t, grade.Live, "a error 1").WriteGradescope(io.Discard); err == nil {
		t.Error("a report without a score was written")
	}
}

func TestCSV(t *testing.T) {
	r := report(t, grade.Live, "a pass 1.5", "b fail 1", "c error 1")
	if got := strings.Join(r.CSVHeader(), ","); got != "lab,version,boot,started,score,of,not_judged,a,b,c" {
		t.Errorf("header %s", got)
	}
	if got := strings.Join(r.CSVRecord(), ","); got != "two-hosts,abc,live,2026-03-04T05:06:07Z,2.1,3.5,1,1.5,0," {
		t.Errorf("record %s", got)
	}
}

func TestTable(t *testing.T) {
	r := report(t, grade.Live, "a pass 1", "b fail 1", "c error 1")
	r.Results[1].Seen = strings.Repeat("word ", 40)
	r.Warnings = []string{"The lab was busy."}
	var plain, coloured bytes.Buffer
	if err := r.WriteTable(&plain, grade.Style{Width: 60}); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteTable(&coloured, grade.Style{Colour: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pass         1/1  wire   check “a”", "fail         0/1", "error        ?/1",
		"look at   ip address on pc1", "hint      Is it on?", "1.5 of 3 points, in 1.2s; 1 check could not be judged", "note: The lab was busy."} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("%q is not in\n%s", want, &plain)
		}
	}
	if !strings.Contains(coloured.String(), "\x1b[32mpass") {
		t.Errorf("no colour in\n%s", &coloured)
	}
	for _, line := range strings.Split(plain.String(), "\n") {
		if strings.Contains(line, "word") && len(line) > 60 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}
