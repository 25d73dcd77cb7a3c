package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/web"
)

func labCheck(name string, visible grade.Visibility) grade.Check {
	c := grade.Check{Name: name, Title: "The " + name + " check", Points: 1, Hint: "Think of " + name, Visible: visible, Step: "begin"}
	c.Sysctl = &grade.Sysctl{Node: "pc1", Key: "net.ipv4.ip_forward", Value: []string{"1"}}
	return c
}

// newGrading is a course whose assignment is a lab with checks.
func newGrading(t *testing.T, gate chan struct{}, change ...func(*labs.Assignment)) *coursework {
	t.Helper()
	s := newSite(t, func(c *web.Config) {
		c.Grading = &fakeGrading{c.Racks.(*fakeRacks), gate}
		c.Submissions = filepath.Join(t.TempDir(), "submissions")
		c.Labs[0].Checks = []grade.Check{labCheck("up", grade.Always), labCheck("stays", grade.Always),
			labCheck("forwards", grade.Always), labCheck("later", grade.After), labCheck("secret", grade.Never)}
	}).coursework(append([]func(*labs.Assignment){func(a *labs.Assignment) { a.LabSlug = "static-routing" }}, change...)...)
	<-s.web.TakesWork()
	return s
}

// handIn hands in for somebody, who starts their lab for it.
func (s *coursework) handIn(login string) (id int64) {
	s.t.Helper()
	b := s.script(login)
	b.api("POST", s.api+"/rack", nil, nil).wants(s.t, http.StatusOK)
	var sub struct{ ID int64 }
	a := b.api("POST", s.api+"/submissions", nil, &sub)
	a.wants(s.t, http.StatusAccepted, `"attempt": 1`)
	if want := "/api/v1/submissions/" + itoa(sub.ID); a.header.Get("Location") != want {
		s.t.Errorf("Location is %q, want %q", a.header.Get("Location"), want)
	}
	return sub.ID
}

// until waits for a submission to come to a state.
func (s *coursework) until(id int64, want labs.SubmissionState) {
	s.t.Helper()
	for range 2000 {
		sub, err := s.db.Submission(context.Background(), id)
		s.must(err)
		if sub.State == want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.t.Fatalf("submission %d never came to be %s", id, want)
}

// TestCheckAPI asks for checks as everybody: each sees what is for them.
func TestCheckAPI(t *testing.T) {
	s := newGrading(t, nil)
	var own struct{ ID string }
	s.script("ada").api("POST", s.api+"/rack", nil, &own).wants(t, http.StatusOK)
	practice := s.startLab()
	all := []string{"up", "stays", "forwards"}
	staff := append(all, "later", "secret")
	for _, id := range []string{own.ID, practice} {
		for login, want := range map[string]struct {
			status int
			checks []string
		}{
			"": {http.StatusUnauthorized, nil}, "bob": {http.StatusNotFound, nil}, "carl": {http.StatusNotFound, nil}, "iris": {http.StatusNotFound, nil},
			"ada": {http.StatusOK, all}, "ivan": {http.StatusOK, staff}, "root": {http.StatusOK, staff},
		} {
			b := s.as(login)
			list := b.get("/api/v1/racks/" + id + "/checks")
			run := b.post("/api/v1/racks/"+id+"/check", nil)
			if list.status != want.status || run.status != want.status {
				t.Errorf("%s as %q: %d and %d, want %d", id, login, list.status, run.status, want.status)
			}
			if want.status != http.StatusOK {
				continue
			}
			var names []string
			var report *grade.Report
			for line := range strings.Lines(run.body) {
				var l rack.CheckLine
				s.must(json.Unmarshal([]byte(line), &l))
				switch {
				case l.Result != nil:
					names = append(names, l.Result.Check)
					if len(l.Result.Evidence) > 0 {
						t.Errorf("evidence goes to the page of %s", login)
					}
				case l.Report != nil:
					report = l.Report
				}
			}
			if got := strings.Join(names, " "); got != strings.Join(want.checks, " ") {
				t.Errorf("%s sees %s, want %v", login, got, want.checks)
			}
			if report == nil || len(report.Results) != len(want.checks) || report.Worth != float64(len(want.checks)) {
				t.Errorf("the report of %s: %+v", login, report)
			}
			for _, name := range staff {
				if said := strings.Contains(list.body, `"`+name+`"`); said != strings.Contains(strings.Join(want.checks, " "), name) {
					t.Errorf("the list of %s says %s: %v", login, name, said)
				}
			}
			if run.header.Get("Content-Type") != "application/x-ndjson" {
				t.Errorf("the type is %s", run.header.Get("Content-Type"))
			}
		}
	}
	// What the page is told.
	ada := s.as("ada")
	ada.get(s.path+"/lab").wants(t, http.StatusOK, `data-checks="3"`, `data-assignment="`+itoa(s.a.ID)+`"`)
	if a := ada.get("/labs/static-routing"); !strings.Contains(a.body, `data-checks="3"`) || strings.Contains(a.body, "data-assignment") {
		t.Error("the page of a lab to practise is told otherwise")
	}
	s.as("ivan").get("/racks/"+own.ID).wants(t, http.StatusOK, `data-checks="5"`, `data-role="viewer"`)
	s.must(s.racks.Do(context.Background(), practice, rack.Op{Do: "end"}))
	ada.post("/api/v1/racks/"+practice+"/check", nil).wants(t, http.StatusNotFound, "does not run")
}

func TestCheckOfLabWithoutChecks(t *testing.T) {
	s := newCoursework(t)
	var own struct{ ID string }
	ada := s.as("ada")
	ada.api("POST", s.api+"/rack", nil, &own).wants(t, http.StatusOK)
	ada.get("/api/v1/racks/"+own.ID+"/checks").wants(t, http.StatusOK, "[]")
	ada.post("/api/v1/racks/"+own.ID+"/check", nil).wants(t, http.StatusConflict, "no checks")
	if a := ada.get(s.path + "/lab"); strings.Contains(a.body, "data-checks") {
		t.Error("the page of a lab without checks has some")
	}
}

// TestSubmissionPage is a submission as its student and staff have it.
func TestSubmissionPage(t *testing.T) {
	s := newGrading(t, nil)
	ada, ivan := s.as("ada"), s.as("ivan")
	ada.api("POST", s.api+"/submissions", nil, nil).wants(t, http.StatusConflict, "not opened this lab yet")
	ada.post(s.path+"/submissions", nil).wants(t, http.StatusSeeOther)
	ada.get(s.path).wants(t, http.StatusOK, "not opened this lab yet")
	id := s.handIn("ada")
	s.until(id, labs.Graded)
	page := "/submissions/" + itoa(id)
	for login, want := range map[string]int{"": 303, "bob": 404, "carl": 404, "iris": 404, "ada": 200, "ivan": 200, "root": 200} {
		if a := s.as(login).get(page); a.status != want {
			t.Errorf("GET %s as %q: %d, want %d", page, login, a.status, want)
		}
	}
	seen := ada.get(page)
	seen.wants(t, http.StatusOK, "The up check", "Not everything survived a restart", "<li>The stays check</li>", "not after a fresh boot", "0 &lt;i&gt;instead", "Think of forwards", "3 of 5")
	for _, hidden := range []string{"The secret check", "The later check", "evidence", "Reopen", "format=gradescope", "data-live"} {
		if strings.Contains(seen.body, hidden) {
			t.Errorf("the student sees %q", hidden)
		}
	}
	whole := ivan.get(page)
	whole.wants(t, http.StatusOK, "The secret check", "staff only", "The later check", "Evidence (4)", "&lt;script&gt;alert(1)&lt;/script&gt;\uFFFD", "Reopen", "?format=gradescope", "frames.pcapng")
	inert(t, page, whole.body)

	var j struct{ Report *grade.Report }
	ada.api("GET", "/api/v1"+page, nil, &j).wants(t, http.StatusOK)
	if j.Report == nil || len(j.Report.Results) != 3 || j.Report.Points != 1 {
		t.Errorf("a student's report in the API is %+v", j.Report)
	}
	ivan.api("GET", "/api/v1"+page, nil, &j).wants(t, http.StatusOK)
	if len(j.Report.Results) != 5 || len(j.Report.Results[0].Evidence) != 0 {
		t.Errorf("staff's report in the API is %+v", j.Report)
	}
	for _, b := range []*browser{ada, ivan} {
		b.get(s.path).wants(t, http.StatusOK, `href="`+page+`"`, "3 of 5")
	}
	ivan.get(s.course+"/gradebook").wants(t, http.StatusOK, `href="`+page+`"`)

	// Evidence.
	for path, want := range map[string]int{"/evidence/live/up/0": 200, "/evidence/fresh/up/1": 200, "/evidence/live/up/2": 404, "/evidence/live/up/-1": 404,
		"/evidence/live/none/0": 404, "/evidence/counts/up/0": 404, "/evidence/live/up/x": 404} {
		if a := ivan.get(page + path); a.status != want {
			t.Errorf("GET %s: %d, want %d", path, a.status, want)
		}
		for _, login := range []string{"ada", "carl", "iris"} {
			if a := s.as(login).get(page + path); a.status != 404 {
				t.Errorf("GET %s as %s: %d, want 404", path, login, a.status)
			}
		}
	}
	text, frames := ivan.get(page+"/evidence/live/up/0"), ivan.get(page+"/evidence/live/up/1")
	for a, kind := range map[*answer]string{&text: "text/plain; charset=utf-8", &frames: "application/octet-stream"} {
		h := a.header
		if h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" ||
			!strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="submission-`) {
			t.Errorf("evidence is sent with %v", h)
		}
	}
	if !strings.Contains(frames.header.Get("Content-Disposition"), `.pcapng"`) || frames.body != "\n\r\r\n" {
		t.Errorf("frames are %q, %v", frames.body, frames.header)
	}
}

// TestGradesHeld: before grades are released a student sees what was found, and
// no points; what shows once the work is due shows then.
func TestGradesHeld(t *testing.T) {
	s := newGrading(t, nil, func(a *labs.Assignment) { a.Held, a.DueAt = true, time.Now().Add(-time.Hour) })
	ada := s.as("ada")
	id := s.handIn("ada")
	s.until(id, labs.Graded)
	page := "/submissions/" + itoa(id)
	held := ada.get(page)
	held.wants(t, http.StatusOK, "The up check", "once your instructor releases")
	for _, hidden := range []string{"of 5", "The later check", ">Points<"} {
		if strings.Contains(held.body, hidden) {
			t.Errorf("before grades are released the student sees %q", hidden)
		}
	}
	if a := ada.get("/api/v1" + page); strings.Contains(a.body, `"report"`) || strings.Contains(a.body, `"score"`) {
		t.Errorf("before grades are released the API says\n%s", a.body)
	}
	s.as("ivan").post(s.path+"/release", url.Values{"show": {"true"}}).wants(t, http.StatusSeeOther)
	ada.get(page).wants(t, http.StatusOK, "The later check", "3 of 5")
}

// TestReopen: staff open a submission as a lab of their own, and have it graded
// again; students do neither.
func TestReopen(t *testing.T) {
	gate := make(chan struct{})
	s := newGrading(t, gate)
	id := s.handIn("ada")
	s.until(id, labs.Grading)
	page := "/submissions/" + itoa(id)
	ada, ivan := s.as("ada"), s.as("ivan")
	ada.get(page).wants(t, http.StatusOK, "data-live", "A fresh boot of it is being checked", `href="`+page+`">Look again`)
	ivan.get(s.path).wants(t, http.StatusOK, "data-live", "<progress")
	ivan.post(page+"/regrade", nil).wants(t, http.StatusSeeOther)
	ivan.get(page).wants(t, http.StatusOK, "not graded yet")
	ivan.api("POST", "/api/v1"+page+"/regrade", nil, nil).wants(t, http.StatusConflict, "not graded yet")
	close(gate)
	s.until(id, labs.Graded)

	for _, login := range []string{"ada", "carl", "iris"} {
		b := s.as(login)
		for _, path := range []string{page + "/reopen", page + "/regrade", "/api/v1" + page + "/reopen", "/api/v1" + page + "/regrade", s.path + "/regrade", s.api + "/regrade"} {
			b.post(path, nil).wants(t, http.StatusNotFound)
		}
	}
	a := ivan.post(page+"/reopen", nil)
	a.wants(t, http.StatusSeeOther)
	lab := a.header.Get("Location")
	ivan.get(lab).wants(t, http.StatusOK, `data-rack="/api/v1`+page+`/reopen"`, `data-role="owner"`, "attempt 1 of Ada", `data-checks="5"`)
	var r struct{ ID, Role, Status string }
	ivan.api("POST", "/api/v1"+page+"/reopen", nil, &r).wants(t, http.StatusOK)
	if "/racks/"+r.ID != lab || r.Role != "owner" {
		t.Errorf("opened again it is %+v, not %s", r, lab)
	}
	spec, err := s.racks.spec(r.ID)
	s.must(err)
	if spec.Owner != "ivan" || spec.Disks == "" {
		t.Errorf("opened with %+v", spec)
	}
	for login, want := range map[string]int{"ada": 404, "carl": 404, "iris": 404, "root": 200} {
		if a := s.as(login).get(lab); a.status != want {
			t.Errorf("GET %s as %s: %d, want %d", lab, login, a.status, want)
		}
	}
	s.as("root").get(lab).wants(t, http.StatusOK, `data-role="viewer"`, "over the shoulder of Ivan")

	ivan.post(page+"/regrade", nil).wants(t, http.StatusSeeOther)
	s.until(id, labs.Graded)
	ivan.post(s.path+"/regrade", nil).wants(t, http.StatusSeeOther)
	ivan.get(s.path).wants(t, http.StatusOK, "One submission is graded again")
	s.until(id, labs.Graded)

	// Who no longer teaches the course has no way to its students' work.
	s.must(s.db.Enrol(context.Background(), s.a.CourseID, s.find("ivan").ID, false))
	ivan.get(lab).wants(t, http.StatusNotFound)
	ivan.get("/api/v1/racks/"+r.ID).wants(t, http.StatusNotFound)
}
