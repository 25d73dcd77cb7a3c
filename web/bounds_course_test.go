package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
)

// TestCloseCourse closes the codes of a course's sections with its own.
func TestCloseCourse(t *testing.T) {
	s := newCoursework(t)
	ctx := context.Background()
	x, err := s.db.CreateSection(ctx, s.a.CourseID, "Sunday")
	s.must(err)
	ivan := s.as("ivan")
	ivan.post(s.course+"/code", url.Values{"open": {"true"}}).wants(t, http.StatusSeeOther)
	if all, err := s.db.Sections(ctx, s.a.CourseID); err != nil || !strings.Contains(codesOf(all), x.JoinCode) {
		t.Errorf("a new code of the course closes sections: %v, %v", all, err)
	}
	ivan.post(s.course+"/code", url.Values{"open": {"false"}}).wants(t, http.StatusSeeOther)
	all, err := s.db.Sections(ctx, s.a.CourseID)
	if err != nil || strings.TrimSpace(codesOf(all)) != "" {
		t.Errorf("sections stay open: %q, %v", codesOf(all), err)
	}
	zed := s.user("zed", labs.Student)
	if _, err := s.db.Join(ctx, zed.ID, x.JoinCode); labs.CodeOf(err) != labs.NotFound {
		t.Errorf("the section's code still works: %v", err)
	}
	ivan.post(s.course+"/sections/"+itoa(x.ID), url.Values{"do": {"open"}}).wants(t, http.StatusSeeOther)
	if all, err := s.db.Sections(ctx, s.a.CourseID); err != nil || strings.TrimSpace(codesOf(all)) == "" {
		t.Errorf("a section cannot be opened for itself: %v", err)
	}
}

func codesOf(all []labs.Section) string {
	codes := ""
	for _, x := range all {
		codes += x.JoinCode + " "
	}
	return codes
}

// TestStrangersPractice holds that putting somebody on a roster shows nothing of
// what they had begun for another course.
func TestStrangersPractice(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	id := s.startLab() // ada's, of ivan's course
	iris := s.as("iris")
	courses, err := s.db.CoursesOf(ctx, s.find("iris").ID)
	s.must(err)
	s.must(s.db.SetCourseLabs(ctx, courses[0].ID, []string{"static-routing"}))
	s.must(s.db.Enrol(ctx, courses[0].ID, s.find("ada").ID, false))
	for _, path := range []string{"/racks/" + id, "/api/v1/racks/" + id} {
		iris.get(path).wants(t, http.StatusNotFound)
		s.as("ivan").get(path).wants(t, http.StatusOK)
	}
	if page := iris.get("/courses/" + itoa(courses[0].ID)); strings.Contains(page.body, id) {
		t.Error("the course's page leads to the rack")
	}
	// Who has the lab by this course alone shows what they do in it.
	theirs, err := s.db.CoursesOf(ctx, s.find("ada").ID)
	s.must(err)
	for _, c := range theirs {
		if c.ID != courses[0].ID {
			s.must(s.db.SetCourseLabs(ctx, c.ID, nil))
		}
	}
	iris.get("/racks/"+id).wants(t, http.StatusOK)
}

// TestPointsPossible says of an assignment that nobody was graded for what its
// lab is worth, and nothing where that is not known.
func TestPointsPossible(t *testing.T) {
	s := newGrading(t, nil)
	line := func() string {
		lines := strings.Split(s.as("ivan").get(s.course+"/gradebook.csv").body, "\n")
		return lines[1]
	}
	if got := line(); !strings.HasPrefix(got, "Points Possible,,,,,5") {
		t.Errorf("ungraded, with a lab of 5 points: %s", got)
	}
	bare := newCoursework(t)
	lines := strings.Split(bare.as("ivan").get(bare.course+"/gradebook.csv").body, "\n")
	if strings.Contains(lines[1], ",0") {
		t.Errorf("of a lab without checks: %s", lines[1])
	}
}

// TestOwnReport gives students the report of what they handed in as far as the
// assignment shows it.
func TestOwnReport(t *testing.T) {
	s := newGrading(t, nil, func(a *labs.Assignment) { a.Held = true })
	id := s.handIn("ada")
	s.until(id, labs.Graded)
	path := "/api/v1/submissions/" + itoa(id) + "/report"
	ada := s.script("ada")
	ada.get(path).wants(t, http.StatusConflict, "releases")
	s.must(s.db.ReleaseGrades(context.Background(), s.a.ID, true))
	for _, query := range []string{"", "?boot=live", "?boot=fresh", "?format=junit", "?format=gradescope"} {
		a := ada.get(path + query)
		a.wants(t, http.StatusOK, "up")
		if strings.Contains(a.body, "secret") || strings.Contains(a.body, "evidence") {
			t.Errorf("%s shows a student\n%s", query, a.body)
		}
	}
	s.script("ivan").get(path).wants(t, http.StatusOK, "secret")
	s.script("bob").get(path).wants(t, http.StatusNotFound)
	s.as("ada").get("/submissions/"+itoa(id)).wants(t, http.StatusOK, `/report"`)
}
