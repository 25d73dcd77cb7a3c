package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/patchbay/patchbay/labs/sqlite"
)

// TestCoursePages goes through a course as its teacher and a student do, in wide and
// narrow windows, light and dark: no page is wider than its window, every field
// has a name, and times are the reader's own.
func TestCoursePages(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	s.student(admin, "ada", "two-hosts")
	var courses []struct{ ID int64 }
	s.api(admin, "GET", "/api/v1/courses", nil, &courses)
	course := fmt.Sprintf("/courses/%d", courses[0].ID)
	at := func(d time.Duration) string {
		return time.Now().Add(d).UTC().Truncate(time.Minute).Format(time.RFC3339)
	}
	var ids []int64
	for i, settings := range []map[string]any{
		{"title": "Two hosts and a cable", "lab": "two-hosts", "due": at(-30 * time.Hour), "closes": at(90 * time.Hour), "late_percent": 10, "late_floor": 50, "points": 10},
		{"title": "Routing by hand, in a team", "lab": "static-routing", "due": at(80 * time.Hour), "attempts": 3, "team_size": 3, "self_join": true, "held": true},
		{"title": "VLANs", "lab": "two-hosts", "opens": at(200 * time.Hour), "due": at(400 * time.Hour)},
		{"title": "A free exercise", "lab": "two-hosts", "counts": "last"},
	} {
		var a struct{ ID int64 }
		s.api(admin, "POST", "/api/v1"+course+"/assignments", settings, &a)
		if ids = append(ids, a.ID); i == 1 {
			s.api(admin, "POST", fmt.Sprintf("/api/v1/assignments/%d/teams", a.ID), map[string]any{"name": "Red"}, nil)
		}
	}

	teacher := s.browse()
	teacher.logIn("admin")
	// The roster, through the page.
	var list strings.Builder
	list.WriteString("name,email,section\n")
	for i := range 40 {
		fmt.Fprintf(&list, "Student Number %d,student%d@example.org,%s\n", i, i, []string{"Tuesday evening", "Friday"}[i%2])
	}
	teacher.do(chromedp.Navigate(s.url+course+"/roster"), chromedp.SetValue(chromedp.CSS(`textarea[name=list]`), "name,email\nx,nobody\n"),
		chromedp.Click(chromedp.CSS(`button[value=look]`)))
	teacher.wait("what is wrong", `document.querySelector("main").innerText.includes("is not an e-mail address")`)
	teacher.forgive("422")
	teacher.looks("roster-problems")
	teacher.do(chromedp.SetValue(chromedp.CSS(`textarea[name=list]`), list.String()), chromedp.Click(chromedp.CSS(`button[value=look]`)))
	teacher.wait("the preview", `document.querySelector("button[value=import]")`)
	teacher.looks("roster-preview")
	teacher.do(chromedp.Click(chromedp.CSS(`button[value=import]`)))
	teacher.wait("the links", `document.querySelector("#invites")?.value.includes("/link/")`)
	teacher.looks("roster-done")

	s.gradeSome(t, courses[0].ID, ids[0], "ada")
	// An assignment, through the page: the time that is typed is the reader's own.
	teacher.do(inTimezone("Asia/Tokyo"), chromedp.Navigate(s.url+course+"/assignments/new"),
		chromedp.SetValue(chromedp.CSS(`input[name=title]`), "Typed"), chromedp.SetValue(chromedp.CSS(`select[name=lab]`), "two-hosts"),
		chromedp.SetValue(chromedp.CSS(`input[name=due]`), "2031-01-02T08:30"))
	teacher.looks("new-assignment")
	teacher.do(chromedp.SetValue(chromedp.CSS(`input[name=closes]`), "2030-01-02T08:30"), chromedp.Click(chromedp.CSS(`main form button`)))
	teacher.wait("the field's error", `document.querySelector("#closes-error")?.innerText.includes("before it is due")`)
	teacher.forgive("422")
	teacher.looks("assignment-errors")
	if got := eval[string](teacher, `document.querySelector("input[name=due]").value`); got != "2031-01-02T08:30" {
		teacher.fail("what was typed comes back as %s", got)
	}
	teacher.do(chromedp.SetValue(chromedp.CSS(`input[name=closes]`), ""), chromedp.Click(chromedp.CSS(`main form button`)))
	teacher.wait("the assignment", `document.querySelector("time[datetime='2031-01-01T23:30:00Z']")?.innerText.includes("8:30")`)

	var user []struct {
		ID    int64
		Login string
	}
	s.api(admin, "GET", "/api/v1/users", nil, &user)
	var ada int64
	for _, u := range user {
		if u.Login == "ada" {
			ada = u.ID
		}
	}
	for name, path := range map[string]string{
		"course": course, "gradebook": course + "/gradebook", "settings": fmt.Sprintf("/assignments/%d/settings", ids[1]),
		"teams": fmt.Sprintf("/assignments/%d/teams", ids[1]), "assignment-teacher": fmt.Sprintf("/assignments/%d", ids[0]),
		"grade": fmt.Sprintf("/assignments/%d/grades/%d", ids[0], ada),
	} {
		teacher.do(chromedp.Navigate(s.url + path))
		teacher.looks(name)
	}
	// The gradebook's head and first column stay while it scrolls.
	teacher.do(chromedp.Navigate(s.url+course+"/gradebook"), chromedp.EmulateViewport(400, 700))
	still := eval[bool](teacher, `(() => {
		const box = document.querySelector(".matrix"), row = box.querySelector("tbody th"), head = box.querySelector("thead th:last-child");
		const x = row.getBoundingClientRect().x, y = head.getBoundingClientRect().y;
		box.scrollTo(150, 300);
		return box.scrollLeft > 0 && box.scrollTop > 0 && row.getBoundingClientRect().x === x && head.getBoundingClientRect().y === y;
	})()`)
	if !still {
		teacher.fail("the gradebook's headings scroll away")
	}
	teacher.shot("gradebook-scrolled")

	student := s.browse()
	student.logIn("ada")
	for name, path := range map[string]string{"home": "/", "assignment": fmt.Sprintf("/assignments/%d", ids[0]),
		"assignment-team": fmt.Sprintf("/assignments/%d", ids[1]), "assignment-upcoming": fmt.Sprintf("/assignments/%d", ids[2])} {
		student.do(chromedp.Navigate(s.url + path))
		student.looks("student-" + name)
	}
}

// gradeSome hands in for everybody, as grading does when it is done.
func (s *site) gradeSome(t *testing.T, course, assignment int64, first string) {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(s.state, "patchbay.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	members, err := db.Members(ctx, course)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		if m.Staff || i%5 == 4 && m.Login != first {
			continue
		}
		sub, err := db.BeginSubmission(ctx, assignment, m.ID, "d")
		if err == nil {
			err = db.SubmissionTaken(ctx, sub.ID)
		}
		if err == nil && i%7 != 6 {
			if sub, _, err = db.ClaimSubmission(ctx); err == nil { // the oldest that waits
				err = db.FinishSubmission(ctx, sub.ID, "d", float64(i%11), 10)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func inTimezone(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
		return err
	})
}

func inScheme(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

// whole keeps what a page looks like from top to bottom, in artefacts.
func (p *page) whole(name string) {
	p.t.Helper()
	shot, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Errorf("taking a picture: %v", err)
		return
	}
	file := filepath.Join("../../artefacts", p.t.Name()+"-"+name+".png")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, shot, 0o644)); err != nil {
		p.t.Errorf("keeping a picture: %v", err)
	}
}

// looks keeps what a page looks like, and holds it to what every page must be.
func (p *page) looks(name string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 400} {
			p.do(chromedp.EmulateViewport(width, 800), inScheme(scheme))
			if over := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
				p.t.Errorf("%s is %d px wider than a window of %d", name, over, width)
			}
			p.whole(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
	nameless := eval[string](p, `[...document.querySelectorAll("input:not([type=hidden]), select, textarea:not([hidden])")]
		.filter(e => !e.labels?.length && !e.getAttribute("aria-label")).map(e => e.name).join(" ")`)
	if nameless != "" {
		p.t.Errorf("%s: fields without a name: %s", name, nameless)
	}
	if n := eval[int](p, `[...document.querySelectorAll("th:not([scope])")].length`); n > 0 {
		p.t.Errorf("%s: %d headings of tables without a scope", name, n)
	}
	twice := eval[string](p, `(all => all.filter((id, i) => all.indexOf(id) !== i).join(" "))([...document.querySelectorAll("[id]")].map(e => e.id))`)
	if twice != "" {
		p.t.Errorf("%s: ids that are not unique: %s", name, twice)
	}
	p.do(chromedp.EmulateViewport(1280, 800))
}
