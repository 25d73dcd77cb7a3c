package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

// keepLab asks for one thing that a boot undoes, one that stays, and one that is
// never there, which makes checking take its time.
var keepLab = map[string]string{
	"lab.yaml": `title: To keep
nodes:
  pc1:
  pc2:
checks:
  forwards:
    title: pc1 forwards
    sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 1}
    within: 1s
  note:
    title: pc1 has a note
    file: {node: pc1, path: /root/note, lines: [kept]}
    within: 1s
  never:
    title: pc2 forwards
    within: 3s
    reboot: false
    sysctl: {node: pc2, key: net.ipv4.ip_forward, value: 1}
`,
	"guide.md": "# To keep\n\nMake it stay.\n",
}

// desk is a student at work on an assignment, on a real server.
type desk struct {
	*site
	student, admin *http.Client
	shelf          string // folder of labs
	course         string // path in the API
	assignment     string
	rack           string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := openDesk(t, nil, keepLab)
	d.assign(map[string]any{})
	d.begin()
	return d
}

// openDesk serves one lab, keep, to one student of one course; within names a
// program, with its arguments, that runs the server.
func openDesk(t *testing.T, within []string, lab map[string]string) *desk {
	t.Helper()
	d := &desk{shelf: t.TempDir()}
	d.publish(t, lab)
	d.site = serveWithin(t, within, nil, "--labs", d.shelf)
	d.admin = d.site.admin()
	d.student = d.site.student(d.admin, "ada", "keep")
	return d
}

// publish writes the lab's folder.
func (d *desk) publish(t *testing.T, lab map[string]string) {
	t.Helper()
	for name, text := range lab {
		path := filepath.Join(d.shelf, "keep", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// assign makes the lab an assignment.
func (d *desk) assign(settings map[string]any) {
	d.t.Helper()
	var courses []struct{ ID int64 }
	d.api(d.admin, "GET", "/api/v1/courses", nil, &courses)
	d.course = fmt.Sprintf("/api/v1/courses/%d", courses[0].ID)
	settings["title"], settings["lab"] = "Keep it", "keep"
	var a struct{ ID int64 }
	d.api(d.admin, "POST", d.course+"/assignments", settings, &a)
	d.assignment = fmt.Sprintf("/api/v1/assignments/%d", a.ID)
}

// begin has the student open the lab and work in it.
func (d *desk) begin() {
	d.t.Helper()
	var r struct{ ID string }
	d.api(d.student, "POST", d.assignment+"/rack", nil, &r)
	d.rack = "/api/v1/racks/" + r.ID
	d.until("the machines", func() bool { return d.running() })
	d.exec("pc1", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo kept > /root/note")
}

func (d *desk) until(what string, f func() bool) {
	d.t.Helper()
	for limit := time.Now().Add(90 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			d.t.Fatalf("in vain waited for %s", what)
		}
	}
}

// ask is api, with the status as an answer.
func (d *desk) ask(method, path string, in any) (int, string) {
	d.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.student.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

type deskRack struct {
	State struct {
		Status, Frozen string
		Nodes          []struct{ Name, Status string }
	}
}

func (d *desk) look() (r deskRack) {
	d.t.Helper()
	d.api(d.student, "GET", d.rack, nil, &r)
	return r
}

func (d *desk) running() bool {
	r := d.look()
	for _, n := range r.State.Nodes {
		if n.Status != "running" {
			return false
		}
	}
	return len(r.State.Nodes) == 2
}

func (d *desk) frozen() bool { return d.look().State.Frozen != "" }

func (d *desk) exec(node, script string) {
	d.t.Helper()
	var res struct {
		ExitCode int `json:"exit_code"`
	}
	d.api(d.student, "POST", d.rack+"/nodes/"+node+"/exec", map[string]any{"args": []string{"/bin/sh", "-c", script}}, &res)
	if res.ExitCode != 0 {
		d.t.Fatalf("%s: exit code %d", script, res.ExitCode)
	}
}

type deskSubmission struct {
	ID      int64
	State   string
	Attempt int
	Score   *float64
	Worth   *float64
	Error   string
}

func (d *desk) handIn() (s deskSubmission) {
	d.t.Helper()
	d.api(d.student, "POST", d.assignment+"/submissions", nil, &s)
	return s
}

// submission is ok when it is there.
func (d *desk) submission(id int64) (s deskSubmission, ok bool) {
	d.t.Helper()
	code, body := d.ask("GET", fmt.Sprintf("/api/v1/submissions/%d", id), nil)
	if code == http.StatusNotFound {
		return s, false
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != http.StatusOK {
		d.t.Fatalf("%d %v %s", code, err, body)
	}
	return s, true
}

// graded waits for a grade.
func (d *desk) graded(id int64) (s deskSubmission) {
	d.t.Helper()
	d.until("a grade", func() bool {
		var ok bool
		if s, ok = d.submission(id); !ok || s.State == "failed" {
			d.t.Fatalf("the submission is lost: %v %+v", ok, s)
		}
		return s.State == "graded"
	})
	return s
}

func (d *desk) report(id int64, boot grade.Boot) map[string]grade.Outcome {
	d.t.Helper()
	var r grade.Report
	d.api(d.admin, "GET", fmt.Sprintf("/api/v1/submissions/%d/report?boot=%s&format=json", id, boot), nil, &r)
	out := map[string]grade.Outcome{}
	for _, c := range r.Results {
		out[c.Check] = c.Outcome
	}
	return out
}

// told writes a submission and what its checks came to.
func (d *desk) told(s deskSubmission) string {
	d.t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		d.t.Fatal(err)
	}
	out := string(text)
	for _, boot := range []grade.Boot{grade.Live, grade.Fresh} {
		var r grade.Report
		d.api(d.admin, "GET", fmt.Sprintf("/api/v1/submissions/%d/report?boot=%s&format=json", s.ID, boot), nil, &r)
		for _, c := range r.Results {
			out += fmt.Sprintf("\n%s %s: %s: want %s, saw %s", boot, c.Check, c.Outcome, c.Expected, c.Seen)
		}
	}
	return out
}

// tidy is what must hold when nothing is under way.
func (d *desk) tidy() {
	d.t.Helper()
	if d.frozen() {
		d.t.Error("the rack is still frozen")
	}
	d.until("the rack that graded to go", func() bool {
		left, err := filepath.Glob(filepath.Join(d.state, "racks", "grading-*"))
		return err == nil && len(left) == 0
	})
	if left, _ := filepath.Glob(filepath.Join(d.state, "submissions", "*", "*.part-*")); len(left) > 0 {
		d.t.Errorf("left behind: %v", left)
	}
}

// TestHandInReal hands real machines in: frozen meanwhile, graded twice, and what a
// boot undoes is lost.
func TestHandInReal(t *testing.T) {
	d := newDesk(t)
	s := d.handIn()
	d.until("the frost", d.frozen)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", d.rack + "/nodes/pc1/exec", map[string]any{"args": []string{"true"}}},
		{"POST", d.rack + "/do", map[string]any{"do": "stop", "node": "pc1"}},
		{"POST", d.rack + "/do", map[string]any{"do": "end"}},
		{"DELETE", d.rack, nil},
		{"POST", d.assignment + "/submissions", nil},
	} {
		if code, body := d.ask(c.method, c.path, c.body); code != http.StatusConflict || !strings.Contains(body, "rozen") && !strings.Contains(body, "handed in") {
			t.Errorf("%s %s %v of a frozen lab: %d %s", c.method, c.path, c.body, code, body)
		}
	}
	got := d.graded(s.ID)
	if got.Attempt != 1 || got.Score == nil || *got.Score != 1 || *got.Worth != 3 {
		t.Errorf("graded %+v, want 1 of 3", got)
	}
	for boot, want := range map[grade.Boot]map[string]grade.Outcome{
		grade.Live:   {"forwards": grade.Pass, "note": grade.Pass, "never": grade.Fail},
		grade.Fresh:  {"forwards": grade.Fail, "note": grade.Pass},
		grade.Counts: {"forwards": grade.Fail, "note": grade.Pass, "never": grade.Fail},
	} {
		if got := d.report(s.ID, boot); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", boot, got, want)
		}
	}
	d.tidy()
}

// TestServerDies kills the server in each part of handing in: nothing is lost,
// nothing there twice, nothing stays frozen.
func TestServerDies(t *testing.T) {
	d := newDesk(t)
	attempt := 0
	for _, phase := range []struct {
		name string
		now  func(s deskSubmission) bool
	}{
		{"checking", func(deskSubmission) bool { return d.frozen() }},
		{"copying", func(deskSubmission) bool {
			parts, _ := filepath.Glob(filepath.Join(d.state, "submissions", "*", "disks*"))
			return len(parts) > attempt
		}},
		{"grading", func(s deskSubmission) bool {
			left, _ := filepath.Glob(filepath.Join(d.state, "racks", "grading-*", "rack.json"))
			return len(left) > 0
		}},
	} {
		s := d.handIn()
		d.until(phase.name, func() bool { return phase.now(s) })
		d.kill(syscall.SIGKILL)
		d.start()
		d.until("thawing", func() bool { return !d.frozen() })
		after, ok := d.submission(s.ID)
		t.Logf("killed while %s: there %v, %s", phase.name, ok, after.State)
		if !ok { // it was not taken yet: it costs nothing
			if phase.name == "grading" {
				t.Error("a submission that was taken is lost")
			}
			if code, page := d.get(d.student, fmt.Sprintf("/submissions/%d", s.ID)); code != http.StatusNotFound || !strings.Contains(page, "no attempt") || !strings.Contains(page, "Hand in again") {
				t.Errorf("killed while %s, the page is %d\n%s", phase.name, code, page)
			}
			s = d.handIn()
		}
		attempt++
		if got := d.graded(s.ID); got.Attempt != attempt || got.Score == nil || *got.Score != 1 {
			t.Errorf("killed while %s: %s, want attempt %d and 1 point", phase.name, d.told(got), attempt)
		}
		d.tidy()
		var all []deskSubmission
		d.api(d.student, "GET", d.assignment+"/submissions", nil, &all)
		folders, err := os.ReadDir(filepath.Join(d.state, "submissions"))
		if err != nil || len(all) != attempt || len(folders) != attempt {
			t.Errorf("killed while %s: %d submissions, %d folders, %v; want %d", phase.name, len(all), len(folders), err, attempt)
		}
	}
}
