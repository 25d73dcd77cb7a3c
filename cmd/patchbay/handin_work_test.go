package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/patchbay/patchbay/labs/grade"
)

// quickLab is keepLab without what takes time.
var quickLab = map[string]string{
	"lab.yaml": `title: To keep
nodes:
  pc1:
  pc2:
checks:
  forwards:
    title: pc1 forwards
    sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 1}
    within: 200ms
  note:
    title: pc1 has a note
    file: {node: pc1, path: /root/note, lines: [kept]}
`,
	"guide.md": "# To keep\n\nMake it stay.\n",
}

// another makes one more student of the course.
func (d *desk) another(login string) (*http.Client, int64) {
	d.t.Helper()
	var user struct {
		Link string
		User struct{ ID int64 }
	}
	d.api(d.admin, "POST", "/api/v1/users", map[string]any{"login": login, "role": "student"}, &user)
	c := d.newcomer(user.Link)
	var course struct {
		JoinCode string `json:"join_code"`
	}
	d.api(d.admin, "GET", d.course, nil, &course)
	d.api(c, "POST", "/api/v1/join", map[string]any{"code": course.JoinCode}, nil)
	return c, user.User.ID
}

// get is the status of a page for whoever c is, and what it says.
func (d *desk) get(c *http.Client, path string) (int, string) {
	d.t.Helper()
	resp, err := c.Get(d.url + path)
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

// TestTeamHandsIn has two students work in one rack, either hand in, and both
// see one grade.
func TestTeamHandsIn(t *testing.T) {
	d := openDesk(t, nil, quickLab)
	d.assign(map[string]any{"team_size": 2, "attempts": 2})
	bob, bobID := d.another("bob")
	eve, _ := d.another("eve")
	if code, body := d.ask("POST", d.assignment+"/rack", nil); code != http.StatusConflict {
		t.Errorf("without a team: %d %s", code, body)
	}
	var ada struct{ ID int64 }
	d.api(d.student, "GET", "/api/v1/me", nil, &ada)
	var team struct{ ID int64 }
	d.api(d.admin, "POST", d.assignment+"/teams", map[string]any{"name": "Red"}, &team)
	for _, id := range []int64{ada.ID, bobID} {
		d.api(d.admin, "PUT", fmt.Sprintf("%s/students/%d/team", d.assignment, id), map[string]any{"team": team.ID}, nil)
	}
	d.begin()
	var his struct{ ID string }
	d.api(bob, "POST", d.assignment+"/rack", nil, &his)
	if "/api/v1/racks/"+his.ID != d.rack {
		t.Fatalf("bob is in %s, ada in %s", his.ID, d.rack)
	}
	d.api(bob, "POST", d.rack+"/nodes/pc1/exec", map[string]any{"args": []string{"/bin/sh", "-c", "echo more >> /root/note"}}, nil)

	var s deskSubmission
	d.api(bob, "POST", d.assignment+"/submissions", nil, &s)
	if code, body := d.ask("POST", d.assignment+"/submissions", nil); code != http.StatusConflict || !strings.Contains(body, "handed in") {
		t.Errorf("ada hands in meanwhile: %d %s", code, body)
	}
	d.graded(s.ID)
	for name, c := range map[string]*http.Client{"ada": d.student, "bob": bob} {
		var all []deskSubmission
		d.api(c, "GET", d.assignment+"/submissions", nil, &all)
		if len(all) != 1 || all[0].Attempt != 1 || all[0].Score == nil || *all[0].Score != 1 || *all[0].Worth != 2 {
			t.Errorf("%s sees %+v, want one submission with 1 of 2", name, all)
		}
		if code, body := d.get(c, fmt.Sprintf("/submissions/%d", s.ID)); code != http.StatusOK || !strings.Contains(body, "1 of 2") || !strings.Contains(body, "for Red") {
			t.Errorf("%s's page: %d\n%s", name, code, body)
		}
	}
	for _, id := range []int64{ada.ID, bobID} {
		var g struct {
			Grade *struct{ Points float64 }
		}
		d.api(d.admin, "GET", fmt.Sprintf("%s/students/%d/grade", d.assignment, id), nil, &g)
		if g.Grade == nil || g.Grade.Points != 1 {
			t.Errorf("the grade of %d: %+v", id, g.Grade)
		}
	}
	for _, path := range []string{"/api/v1", ""} {
		if code, _ := d.get(eve, fmt.Sprintf("%s/submissions/%d", path, s.ID)); code != http.StatusNotFound {
			t.Errorf("eve, of no team, gets %d", code)
		}
	}
	d.tidy()
}

// tmpfsAt is a program that puts a file system of so many MiB in a folder, which
// it and what it executes alone see.
func tmpfsAt(dir string, mib int) []string {
	script := fmt.Sprintf(`mkdir -p "$1" && mount -t tmpfs -o size=%dm patchbay-test "$1" && shift && exec "$@"`, mib)
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--user", "--map-current-user", "--keep-caps")
	}
	return append(unshare, "sh", "-c", script, "sh", dir)
}

// TestServerDiskFull hands in while the disk that submissions go to, a real file
// system, has no room for them: nothing stays behind, no attempt is lost.
func TestServerDiskFull(t *testing.T) {
	if out, err := exec.Command("sh", append([]string{"-c", `exec "$@"`, "sh"}, append(tmpfsAt(t.TempDir(), 1), "true")...)...).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("a file system of one's own: %v\n%s", err, out)
		}
		t.Skipf("this machine gives no file system of one's own: %v\n%s", err, out)
	}
	d := openDesk(t, tmpfsAt("STATE/submissions", 64), quickLab)
	d.assign(map[string]any{"attempts": 1})
	d.begin()
	d.exec("pc1", "head -c 8M /dev/urandom > /root/big; sync")
	seen := filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid), "root", d.state, "submissions")
	filler := filepath.Join(seen, "filler")
	for _, room := range []int{0, 1 << 20, 6 << 20} { // for nothing, for the folder, for one disk and a half
		if err := os.WriteFile(filler, make([]byte, 64<<20-room), 0o600); err != nil && room > 0 {
			t.Fatal(err)
		}
		code, body := d.ask("POST", d.assignment+"/submissions", nil)
		if code != http.StatusAccepted {
			t.Fatalf("handing in: %d %s", code, body)
		}
		var s deskSubmission
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		d.until("the refusal", func() bool {
			code, body = d.ask("GET", fmt.Sprintf("/api/v1/submissions/%d", s.ID), nil)
			return code == http.StatusNotFound
		})
		if !strings.Contains(body, "no room") && !strings.Contains(body, "full") || !strings.Contains(body, "no attempt") {
			t.Errorf("with %d bytes of room: %s", room, body)
		}
		if code, body := d.get(d.student, fmt.Sprintf("/submissions/%d", s.ID)); code != http.StatusNotFound || !strings.Contains(body, "no attempt") {
			t.Errorf("the page with %d bytes of room: %d\n%s", room, code, body)
		}
		if left, err := os.ReadDir(seen); err != nil || len(left) != 1 {
			t.Errorf("with %d bytes of room this is left: %v, %v", room, left, err)
		}
		d.tidy()
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if got := d.graded(d.handIn().ID); got.Attempt != 1 || *got.Score != 1 {
		t.Errorf("with room again: %+v, want attempt 1 and 1 point", got)
	}
}

// TestHandInDeadNodes hands in with a machine that is off and one that crashed:
// findings, and not ours; what is on their disks counts.
func TestHandInDeadNodes(t *testing.T) {
	d := openDesk(t, nil, map[string]string{"guide.md": "# x\n", "lab.yaml": quickLab["lab.yaml"] + `  two:
    title: pc2 forwards
    sysctl: {node: pc2, key: net.ipv4.ip_forward, value: 0}
    within: 200ms
  wiped:
    title: pc2 has no note
    file: {node: pc2, path: /root/note, absent: true}
`})
	d.assign(map[string]any{})
	d.begin()
	d.exec("pc1", "sync")
	d.api(d.student, "POST", d.rack+"/do", map[string]any{"do": "stop", "node": "pc1"}, nil)
	_, _ = d.ask("POST", d.rack+"/nodes/pc2/exec", map[string]any{"args": []string{"/bin/sh", "-c", "echo c > /proc/sysrq-trigger"}})
	d.until("both machines to be off", func() bool {
		down := 0
		for _, n := range d.look().State.Nodes {
			if n.Status == "off" || n.Status == "failed" {
				down++
			}
		}
		return down == 2
	})
	s := d.graded(d.handIn().ID)
	if s.Error != "" || *s.Score != 2 || *s.Worth != 4 {
		t.Errorf("graded %s, want 2 of 4", d.told(s))
	}
	for boot, want := range map[grade.Boot]map[string]grade.Outcome{
		grade.Live:   {"forwards": grade.Fail, "note": grade.Pass, "two": grade.Fail, "wiped": grade.Pass},
		grade.Fresh:  {"forwards": grade.Fail, "note": grade.Pass, "two": grade.Pass, "wiped": grade.Pass},
		grade.Counts: {"forwards": grade.Fail, "note": grade.Pass, "two": grade.Fail, "wiped": grade.Pass},
	} {
		if got := d.report(s.ID, boot); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v\n%s", boot, got, want, d.told(s))
		}
	}
	if text := d.told(s); !strings.Contains(text, "pc1 does not run") && !strings.Contains(text, "pc1 is off") && !strings.Contains(text, "not running") {
		t.Errorf("why is not told:\n%s", text)
	}
	d.tidy()
}

// TestRegradeReal grades several submissions again by a newer version of the
// lab, whose checks ask for something else: progress is seen meanwhile, and each
// keeps its score until it has the new one. Then one is opened again.
func TestRegradeReal(t *testing.T) {
	d := openDesk(t, nil, quickLab)
	d.assign(map[string]any{})
	d.begin()
	var handed []deskSubmission
	for i := range 3 {
		d.exec("pc1", fmt.Sprintf("echo attempt %d >> /root/note; sync", i+1))
		handed = append(handed, d.graded(d.handIn().ID))
		if s := handed[i]; *s.Score != 1 || *s.Worth != 2 {
			t.Fatalf("attempt %d: %s, want 1 of 2", i+1, d.told(s))
		}
	}
	var before, now struct{ Digest string }
	d.api(d.admin, "GET", "/api/v1/labs/keep", nil, &before)
	d.publish(t, map[string]string{"lab.yaml": strings.NewReplacer("lines: [kept]", "lines: [attempt 3]", "pc1 has a note\n", "pc1 has the third note\n    points: 5\n").Replace(quickLab["lab.yaml"])})
	d.until("the newer version", func() bool {
		d.api(d.admin, "GET", "/api/v1/labs/keep", nil, &now)
		return now.Digest != before.Digest
	})
	var queued struct{ Queued int }
	d.api(d.admin, "POST", d.assignment+"/regrade", nil, &queued)
	if queued.Queued != 3 {
		t.Errorf("%d are graded again", queued.Queued)
	}
	states := map[string]bool{}
	progress := false
	d.until("three grades", func() bool {
		var all []deskSubmission
		d.api(d.admin, "GET", d.assignment+"/submissions", nil, &all)
		done := 0
		for _, s := range all {
			states[s.State] = true
			switch {
			case s.Score == nil:
				t.Fatalf("there is no score meanwhile: %+v", s)
			case s.State == "graded" && *s.Worth == 6:
				done++
			case *s.Score != 1 || *s.Worth != 2:
				t.Fatalf("meanwhile: %+v, want 1 of 2", s)
			}
		}
		if done < 3 {
			_, page := d.get(d.admin, strings.TrimPrefix(d.assignment, "/api/v1"))
			progress = progress || strings.Contains(page, `<progress max="3"`)
		}
		return done == 3
	})
	if !states["queued"] || !states["grading"] || !progress {
		t.Errorf("what was seen meanwhile: %v, progress on the page: %v", states, progress)
	}
	for i, want := range []float64{0, 0, 5} {
		s, _ := d.submission(handed[i].ID)
		if *s.Score != want || *s.Worth != 6 {
			t.Errorf("attempt %d: %s, want %v of 6", i+1, d.told(s), want)
		}
	}
	d.tidy()
	d.reopen(handed[1].ID)
}

// reopen opens attempt 2 by two clicks at once: one rack, with what was written.
func (d *desk) reopen(id int64) {
	d.t.Helper()
	path := fmt.Sprintf("/api/v1/submissions/%d/reopen", id)
	if code, body := d.ask("POST", path, nil); code != http.StatusNotFound {
		d.t.Errorf("a student opens their submission: %d %s", code, body)
	}
	var wg sync.WaitGroup
	ids := make([]string, 2)
	for i := range ids {
		wg.Go(func() {
			resp, err := d.admin.Post(d.url+path, "application/json", bytes.NewReader(nil))
			if err != nil {
				d.t.Error(err)
				return
			}
			defer resp.Body.Close()
			var r struct{ ID string }
			if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || resp.StatusCode != http.StatusOK {
				d.t.Errorf("reopening: %s %v", resp.Status, err)
			}
			ids[i] = r.ID
		})
	}
	wg.Wait()
	if ids[0] == "" || ids[0] != ids[1] {
		d.t.Fatalf("two clicks opened %q", ids)
	}
	again := &desk{site: d.site, student: d.admin, admin: d.admin, rack: "/api/v1/racks/" + ids[0]}
	again.until("the machines", again.running)
	again.exec("pc1", `grep -qx "attempt 2" /root/note && ! grep -q "attempt 3" /root/note && test "$(cat /proc/sys/net/ipv4/ip_forward)" = 0`)
	if code, _ := d.ask("GET", again.rack, nil); code != http.StatusNotFound {
		d.t.Errorf("the student finds what a teacher opened: %d", code)
	}
}
