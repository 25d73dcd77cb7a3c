package web_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

// coursework is a site with an assignment in ada's course; carl is in it, too.
type coursework struct {
	*site
	course string
	a      labs.Assignment
	path   string // of the assignment's page
	api    string // and in the API
}

func newCoursework(t *testing.T, change ...func(*labs.Assignment)) *coursework {
	t.Helper()
	return newSite(t).coursework(change...)
}

func (site *site) coursework(change ...func(*labs.Assignment)) *coursework {
	site.t.Helper()
	ctx := context.Background()
	s := &coursework{site: site}
	all, err := s.db.Courses(ctx)
	s.must(err)
	for _, c := range all {
		if c.Title == "Networks" {
			s.a.CourseID, s.course = c.ID, "/courses/"+itoa(c.ID)
		}
	}
	carl := s.user("carl", labs.Student)
	s.must(s.db.Enrol(ctx, s.a.CourseID, carl.ID, false))
	s.a.Title, s.a.LabSlug = "Routes by hand", "hidden" // a lab that is in no course
	for _, f := range change {
		f(&s.a)
	}
	s.must(s.db.CreateAssignment(ctx, &s.a))
	s.path, s.api = "/assignments/"+itoa(s.a.ID), "/api/v1/assignments/"+itoa(s.a.ID)
	return s
}

// graded hands in for somebody, and grades it.
func (s *coursework) graded(login string, score, worth float64) labs.Submission {
	s.t.Helper()
	ctx := context.Background()
	sub, err := s.db.BeginSubmission(ctx, s.a.ID, s.find(login).ID, "d2")
	s.must(err)
	s.must(s.db.SubmissionTaken(ctx, sub.ID))
	_, _, err = s.db.ClaimSubmission(ctx)
	s.must(err)
	for _, boot := range []grade.Boot{grade.Live, grade.Counts} {
		s.must(s.db.SetReport(ctx, sub.ID, &grade.Report{Lab: "hidden", Boot: boot, Points: score, Worth: worth, Results: []grade.Result{
			{Check: "up", Title: "It is up", Kind: "ping", Trust: grade.Wire, Outcome: grade.Pass, Points: score, Worth: worth}}}))
	}
	s.must(s.db.FinishSubmission(ctx, sub.ID, "d2", score, worth))
	return sub
}

// TestCourseworkRoles asks for everything as everybody.
func TestCourseworkRoles(t *testing.T) {
	s := newCoursework(t)
	sub := s.graded("ada", 5, 10)
	ada := itoa(s.find("ada").ID)
	var rack struct{ ID string }
	s.script("ada").api("POST", s.api+"/rack", nil, &rack).wants(t, http.StatusOK)
	who := []string{"", "bob", "ada", "carl", "iris", "ivan", "root"}
	people := map[string]*browser{}
	for _, login := range who {
		people[login] = s.as(login)
	}
	course := "/api/v1" + s.course
	subPath := "/api/v1/submissions/" + itoa(sub.ID)
	for _, c := range []struct {
		path string
		want [7]int // nobody, a stranger, the student, another student, another instructor, the teacher, the admin
	}{
		{s.path, [7]int{303, 404, 200, 200, 404, 200, 200}},
		{s.path + "/lab", [7]int{303, 404, 200, 200, 404, 200, 200}},
		{s.path + "/settings", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.path + "/teams", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.path + "/grades/" + ada, [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.path + "/grades/999", [7]int{303, 404, 404, 404, 404, 404, 404}},
		{s.course + "/roster", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.course + "/gradebook", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.course + "/gradebook.csv", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{s.course + "/assignments/new", [7]int{303, 404, 404, 404, 404, 200, 200}},
		{"/assignments/999", [7]int{303, 404, 404, 404, 404, 404, 404}},
		{"/labs/hidden", [7]int{303, 404, 404, 404, 200, 200, 200}}, // the assignment is no way to practise it
		{"/racks/" + rack.ID, [7]int{303, 404, 303, 404, 404, 200, 200}},
		{s.api, [7]int{401, 404, 200, 200, 404, 200, 200}},
		{s.api + "/rack", [7]int{401, 404, 200, 404, 404, 404, 404}}, // each their own
		{s.api + "/teams", [7]int{401, 404, 404, 404, 404, 200, 200}},
		{s.api + "/submissions", [7]int{401, 404, 200, 200, 404, 200, 200}},
		{s.api + "/students/" + ada + "/grade", [7]int{401, 404, 404, 404, 404, 200, 200}},
		{subPath, [7]int{401, 404, 200, 404, 404, 200, 200}},
		{subPath + "/report", [7]int{401, 404, 200, 404, 404, 200, 200}},
		{course + "/assignments", [7]int{401, 404, 200, 200, 404, 200, 200}},
		{course + "/sections", [7]int{401, 404, 404, 404, 404, 200, 200}},
		{course + "/grades", [7]int{401, 404, 404, 404, 404, 200, 200}},
		{"/api/v1/racks/" + rack.ID, [7]int{401, 404, 200, 404, 404, 200, 200}},
		{"/api/v1/racks/" + rack.ID + "/frames?filter=nonsense+9", [7]int{401, 404, 400, 404, 404, 400, 400}},
	} {
		for i, login := range who {
			if a := people[login].get(c.path); a.status != c.want[i] {
				t.Errorf("GET %s as %q: %d; want %d", c.path, login, a.status, c.want[i])
			}
		}
	}
	for _, c := range []struct {
		method, path string
		want         [7]int // 0: not asked
	}{
		{"POST", s.path + "/settings", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.path + "/teams", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.path + "/team", [7]int{401, 404, 403, 403, 404, 403, 403}}, // nobody makes teams here
		{"POST", s.path + "/release", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.path + "/stop", [7]int{401, 404, 0, 404, 404, 404, 404}},
		{"POST", s.path + "/grades/" + ada, [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.course + "/roster", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.course + "/sections", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.course + "/sections/1", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.course + "/assignments", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", course + "/roster", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", course + "/sections", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"PATCH", course + "/sections/1", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"DELETE", course + "/sections/1", [7]int{401, 404, 404, 404, 404, 404, 404}},
		{"POST", course + "/assignments", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"PUT", s.api, [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"DELETE", s.api, [7]int{401, 404, 404, 404, 404, 409, 409}},
		{"POST", s.api + "/release", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"POST", s.api + "/rack", [7]int{401, 404, 0, 0, 404, 0, 0}},
		{"POST", s.api + "/teams", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"PUT", s.api + "/students/" + ada + "/team", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"PUT", s.api + "/students/" + ada + "/extension", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"DELETE", s.api + "/students/" + ada + "/extension", [7]int{401, 404, 404, 404, 404, 404, 404}},
		{"PUT", s.api + "/students/" + ada + "/adjustment", [7]int{401, 404, 404, 404, 404, 0, 0}},
		{"DELETE", s.api + "/students/" + ada + "/adjustment", [7]int{401, 404, 404, 404, 404, 404, 404}},
		{"POST", "/api/v1/racks/" + rack.ID + "/do", [7]int{401, 404, 0, 404, 404, 403, 403}},
		{"DELETE", "/api/v1/racks/" + rack.ID, [7]int{401, 404, 0, 404, 404, 403, 0}},
	} {
		for i, login := range who {
			if c.want[i] == 0 {
				continue
			}
			if a := people[login].do(c.method, c.path, "", nil); a.status != c.want[i] {
				t.Errorf("%s %s as %q: %d; want %d\n%s", c.method, c.path, login, a.status, c.want[i], a.body)
			}
		}
	}
	for _, c := range [][2]string{{s.path, "/assignments/999"}, {s.api, "/api/v1/assignments/999"}, {subPath, "/api/v1/submissions/999"}} {
		if yes, no := people["bob"].get(c[0]), people["bob"].get(c[1]); yes.body != no.body {
			t.Errorf("%s and %s answer differently", c[0], c[1])
		}
	}
}

// TestAssignmentPages: a teacher makes an assignment, a student meets it.
func TestAssignmentPages(t *testing.T) {
	s := newCoursework(t)
	ivan, ada := s.as("ivan"), s.as("ada")
	form := url.Values{"title": {"VLANs"}, "lab": {"static-routing"}, "counts": {"last"}, "team_size": {"1"}, "points": {"20"},
		"opens": {"2001-01-01T00:00"}, "due": {"2001-02-01T18:00"}, "late_percent": {"12,5"}, "attempts": {"3"}, "pinned": {"true"}}
	a := ivan.post(s.course+"/assignments", form)
	a.wants(t, http.StatusSeeOther)
	path := a.header.Get("Location")
	ivan.get(path).wants(t, http.StatusOK, "The assignment is made", "VLANs", "1 Feb 2001, 18:00 UTC", "Settings")
	ada.get("/").wants(t, http.StatusOK, path, "VLANs", "overdue", "Due <time datetime=\"2001-02-01T18:00:00Z\">", "Late work loses 12.5 % for each day begun.")
	ada.get(path).wants(t, http.StatusOK, "0 of 3 used", "the last one counts", path+"/lab", "Nothing is handed in yet")
	ivan.get(path+"/settings").wants(t, http.StatusOK, `value="2001-02-01T18:00"`, `value="12.5"`, `name="pinned" value="true" checked`)

	// What is wrong stands beside the field; what was typed stays.
	for field, bad := range map[string][2]string{
		"due":          {"tomorrow", "This is no date and time"},
		"closes":       {"2001-01-15T00:00", "must not close before it is due"},
		"title":        {" ", "needs a title"},
		"lab":          {"nothing", "no such lab"},
		"attempts":     {"many", "no whole number"},
		"late_percent": {"120", "from 0 to 100"},
		"points":       {"x", "no number"},
	} {
		changed := url.Values{}
		for k, v := range form {
			changed[k] = v
		}
		changed.Set(field, bad[0])
		a := ivan.post(s.course+"/assignments", changed)
		a.wants(t, http.StatusUnprocessableEntity, bad[1], `id="`+field+`-error"`, `aria-invalid="true"`, `value="12,5"`[:6])
		ivan.post(path+"/settings", changed).wants(t, http.StatusUnprocessableEntity, bad[1])
	}
	form.Set("closes", "2001-03-01T00:00")
	form.Set("held", "true")
	ivan.post(path+"/settings", form).wants(t, http.StatusSeeOther)
	ada.get("/").wants(t, http.StatusOK, "closed")
	ivan.post(path+"/settings", url.Values{"do": {"delete"}}).wants(t, http.StatusSeeOther)
	ada.get(path).wants(t, http.StatusNotFound)

	// Before it opens nobody comes in, but staff.
	s.a.OpensAt = time.Now().Add(time.Hour)
	s.must(s.db.UpdateAssignment(context.Background(), &s.a, s.find("ivan").ID))
	ada.get("/").wants(t, http.StatusOK, "not open yet", "Opens <time")
	ada.get(s.path+"/lab").wants(t, http.StatusForbidden, "not open yet")
	s.script("ada").api("POST", s.api+"/rack", nil, nil).wants(t, http.StatusForbidden)
	ivan.get(s.path+"/lab").wants(t, http.StatusOK)
}

// TestSeparateRacks: an assignment's rack is another than that for practice.
func TestSeparateRacks(t *testing.T) {
	s := newCoursework(t, func(a *labs.Assignment) { a.LabSlug = "static-routing" })
	practice := s.startLab()
	var r struct {
		ID         string
		Assignment int64
	}
	s.script("ada").api("POST", s.api+"/rack", nil, &r).wants(t, http.StatusOK)
	if r.ID == practice || r.Assignment != s.a.ID {
		t.Errorf("the rack is %+v; practice is %s", r, practice)
	}
	ada := s.as("ada")
	ada.get(s.path+"/lab").wants(t, http.StatusOK, `data-rack="`+s.api+`/rack"`)
	if to := ada.get("/racks/" + r.ID).header.Get("Location"); to != s.path+"/lab" {
		t.Errorf("her own rack leads to %q", to)
	}
	s.as("ivan").get(s.course).wants(t, http.StatusOK, "/racks/"+r.ID, "/racks/"+practice)
	ada.post(s.path+"/stop", nil).wants(t, http.StatusSeeOther)
	if runs, _ := s.racks.Runs(context.Background(), r.ID); runs {
		t.Error("the assignment's rack runs on")
	}
	if runs, _ := s.racks.Runs(context.Background(), practice); !runs {
		t.Error("the rack for practice was stopped along")
	}
}

func TestTeamPages(t *testing.T) {
	s := newCoursework(t, func(a *labs.Assignment) { a.TeamSize, a.SelfJoin = 2, true })
	ctx := context.Background()
	ada, carl, ivan := s.as("ada"), s.as("carl"), s.as("ivan")
	ada.get(s.path+"/lab").wants(t, http.StatusConflict, "in no team")
	ada.get(s.path).wants(t, http.StatusOK, "Come into a team first", "Make the team")
	ada.post(s.path+"/team", url.Values{"do": {"make"}, "name": {"Red"}}).wants(t, http.StatusSeeOther)
	carl.post(s.path+"/team", url.Values{"do": {"make"}, "name": {"Red"}}).wants(t, http.StatusConflict, "already", `value="Red"`)
	carl.get(s.path).wants(t, http.StatusOK, "Join<span")
	teams, err := s.db.Teams(ctx, s.a.ID)
	s.must(err)
	var rack struct{ ID string }
	s.script("ada").api("POST", s.api+"/rack", nil, &rack).wants(t, http.StatusOK)
	carl.get("/api/v1/racks/"+rack.ID).wants(t, http.StatusNotFound)
	carl.post(s.path+"/team", url.Values{"do": {"join"}, "team": {itoa(teams[0].ID)}}).wants(t, http.StatusSeeOther)
	// Both own it: both may act.
	carl.get("/api/v1/racks/"+rack.ID).wants(t, http.StatusOK, `"role": "owner"`)
	carl.get("/api/v1/racks").wants(t, http.StatusOK, rack.ID, `"role": "owner"`)
	carl.api("POST", "/api/v1/racks/"+rack.ID+"/do", map[string]string{"do": "restart", "node": "pc1"}, nil).wants(t, http.StatusNoContent)
	carl.post(s.path+"/stop", nil).wants(t, http.StatusSeeOther)
	// A team of another assignment is none of this one's.
	other := labs.Assignment{CourseID: s.a.CourseID, Title: "Other", LabSlug: "hidden", TeamSize: 2, SelfJoin: true}
	s.must(s.db.CreateAssignment(ctx, &other))
	foreign, err := s.db.CreateTeam(ctx, other.ID, "Foreign")
	s.must(err)
	carl.post(s.path+"/team", url.Values{"do": {"join"}, "team": {itoa(foreign.ID)}}).wants(t, http.StatusNotFound)
	// What he saw of theirs he does not take along: staff move him.
	carl.post(s.path+"/team", url.Values{"do": {"leave"}}).wants(t, http.StatusConflict, "has begun to work")
	carl.post(s.path+"/team", url.Values{"do": {"make"}, "name": {"Own"}}).wants(t, http.StatusConflict, "has begun to work")
	ivan.post(s.path+"/teams", url.Values{"do": {"leave"}, "user": {itoa(s.find("carl").ID)}}).wants(t, http.StatusSeeOther)
	carl.get("/api/v1/racks/"+rack.ID).wants(t, http.StatusNotFound)

	ivan.get(s.path+"/teams").wants(t, http.StatusOK, "Red", "Carl", "Put in")
	ivan.post(s.path+"/teams", url.Values{"do": {"join"}, "team": {itoa(teams[0].ID)}, "user": {itoa(s.find("carl").ID)}}).wants(t, http.StatusSeeOther)
	ivan.post(s.path+"/teams", url.Values{"do": {"join"}, "team": {itoa(teams[0].ID)}, "user": {itoa(s.find("bob").ID)}}).wants(t, http.StatusNotFound) // not in the course
	ivan.post(s.path+"/teams", url.Values{"do": {"leave"}, "user": {itoa(s.find("carl").ID)}}).wants(t, http.StatusSeeOther)
	ivan.post(s.path+"/teams", url.Values{"do": {"make"}, "name": {"Blue"}}).wants(t, http.StatusSeeOther)
	ivan.get(s.path+"/teams").wants(t, http.StatusOK, "Blue", "Nobody yet")
}

func TestGradePages(t *testing.T) {
	s := newCoursework(t, func(a *labs.Assignment) { a.Points, a.Held = 20, true })
	s.graded("ada", 5, 10)
	ivan, ada := s.as("ivan"), s.as("ada")
	page := s.path + "/grades/" + itoa(s.find("ada").ID)
	ada.get(s.path).wants(t, http.StatusOK, "once your instructor releases them")
	if body := ada.get(s.path).body + ada.get("/").body + ada.get(s.api).body + ada.get(s.api+"/submissions").body; strings.Contains(body, "<strong>10</strong>") || strings.Contains(body, `"score"`) || strings.Contains(body, `"grade"`) {
		t.Errorf("a grade that is held is shown:\n%s", body)
	}
	ivan.post(page, url.Values{"do": {"adjust"}, "kind": {"add"}, "value": {"2,5"}, "comment": {"<b>well</b> explained"}}).wants(t, http.StatusSeeOther)
	ivan.post(page, url.Values{"do": {"adjust"}, "kind": {"add"}, "value": {""}, "comment": {""}}).wants(t, http.StatusUnprocessableEntity, "Say how many points")
	ivan.post(page, url.Values{"do": {"adjust"}, "kind": {"set"}, "value": {"3"}, "comment": {""}}).wants(t, http.StatusUnprocessableEntity, "Say why", `value="3"`)
	ivan.post(page, url.Values{"do": {"extend"}, "attempts": {"0"}}).wants(t, http.StatusUnprocessableEntity, "Say what they get")
	ivan.post(page, url.Values{"do": {"extend"}, "attempts": {"1"}, "reason": {"ill"}}).wants(t, http.StatusSeeOther)
	ivan.get(page).wants(t, http.StatusOK, "12.5", "the server", "adjusted", "extension given", "ill", "&lt;b&gt;well", "?format=gradescope")
	ivan.post(s.path+"/release", url.Values{"show": {"true"}}).wants(t, http.StatusSeeOther)
	ada.get(s.path).wants(t, http.StatusOK, "<strong>12.5</strong> of 20", "+2.5 by your instructor", "&lt;b&gt;well")
	ada.get("/").wants(t, http.StatusOK, "<strong>12.5</strong>")
	ivan.post(page, url.Values{"do": {"unadjust"}}).wants(t, http.StatusSeeOther)
	ivan.post(page, url.Values{"do": {"unextend"}}).wants(t, http.StatusSeeOther)
	ada.get(s.path).wants(t, http.StatusOK, "<strong>10</strong> of 20")

	// The gradebook, each way round.
	s.graded("carl", 10, 10)
	for query, first := range map[string]string{"": "Ada", "?sort=name&down=1": "Carl", "?sort=" + itoa(s.a.ID) + "&down=1": "Carl", "?sort=total": "Ada", "?sort=nonsense": "Ada"} {
		body := ivan.get(s.course + "/gradebook" + query).body
		at := map[bool]int{true: strings.Index(body, "Ada <span"), false: strings.Index(body, "Carl <span")}
		if at[true] < 0 || at[false] < 0 || (at[true] < at[false]) != (first == "Ada") {
			t.Errorf("gradebook%s does not begin with %s", query, first)
		}
	}
	ivan.get(s.course+"/gradebook?sort=total").wants(t, http.StatusOK, `aria-sort="ascending"`, "of 20")

	sub := "/api/v1/submissions/1/report"
	ivan.get(sub).wants(t, http.StatusOK, `"check"`)
	ivan.get(sub+"?format=junit").wants(t, http.StatusOK, "<testsuite")
	ivan.get(sub+"?format=gradescope").wants(t, http.StatusOK, `"tests"`)
	ivan.get(sub+"?format=doc").wants(t, http.StatusUnprocessableEntity)
	ivan.get(sub+"?boot=fresh").wants(t, http.StatusNotFound)
}

// TestGradebookFile: what is exported can be imported, and holds no formulas.
func TestGradebookFile(t *testing.T) {
	s := newCoursework(t, func(a *labs.Assignment) { a.Title = "=HYPERLINK(1)" })
	eve := s.user("eve", labs.Student)
	eve.Name = "@SUM(A1:A9)"
	s.must(s.db.UpdateUser(context.Background(), &eve))
	s.must(s.db.Enrol(context.Background(), s.a.CourseID, eve.ID, false))
	s.graded("ada", 7, 10)
	a := s.as("ivan").get(s.course + "/gradebook.csv")
	a.wants(t, http.StatusOK)
	if d := a.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") {
		t.Errorf("Content-Disposition %q", d)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	s.must(err)
	if len(rows) != 5 || rows[0][5] != "'=HYPERLINK(1)" || rows[1][5] != "10" || rows[2][0] != "'@SUM(A1:A9)" || rows[3][3] != "ada" || rows[3][5] != "7" || rows[4][5] != "" {
		t.Errorf("the file is %q", rows)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("%q is a formula", cell)
			}
		}
	}
	entries, err := labs.ReadRoster("grades.csv", []byte(a.body))
	if err != nil || len(entries) != 3 || entries[0].Login != "eve" || entries[0].Name != eve.Name {
		t.Errorf("read again: %+v, %v", entries, err)
	}
}

// sendRoster sends the form, a file in it or not.
func (b *browser) sendRoster(path, do, list, file string) answer {
	b.s.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	b.s.must(w.WriteField("do", do))
	b.s.must(w.WriteField("list", list))
	part, err := w.CreateFormFile("file", "roster.csv")
	b.s.must(err)
	_, err = part.Write([]byte(file))
	b.s.must(err)
	b.s.must(w.Close())
	return b.do(http.MethodPost, path, w.FormDataContentType(), &body)
}

func TestRosterPages(t *testing.T) {
	s := newCoursework(t)
	ctx := context.Background()
	ivan := s.as("ivan")
	path := s.course + "/roster"
	ivan.get(path).wants(t, http.StatusOK, "See what it does")
	ivan.sendRoster(path, "look", "login,email\nx,nobody\n", "").wants(t, http.StatusUnprocessableEntity, `class="number">2</th>`, "not an e-mail address", "mend the line")
	list := "login,name,section\nada,Ada,Tuesday\nzoe,Zoe <Z>,Tuesday\n"
	ivan.sendRoster(path, "look", "", list).wants(t, http.StatusOK, "new account", "changes section", "Zoe &lt;Z&gt;", "Import 2 students", "zoe,Zoe &lt;Z&gt;,,Tuesday")
	if _, _, err := s.db.UserByLogin(ctx, "zoe"); labs.CodeOf(err) != labs.NotFound {
		t.Errorf("looking made zoe: %v", err)
	}
	a := ivan.sendRoster(path, "import", list, "")
	a.wants(t, http.StatusCreated, "2 students, 1 new account", "zoe,"+s.url+"/link/")
	_, link, _ := strings.Cut(a.body, "zoe,"+s.url)
	link, _, _ = strings.Cut(link, "\n")
	zoe := s.browser()
	zoe.post(strings.TrimSpace(link), url.Values{"password": {password}, "again": {password}}).wants(t, http.StatusSeeOther)
	zoe.get("/").wants(t, http.StatusOK, "Routes by hand")
	ivan.sendRoster(path, "import", "login\niris\n", "").wants(t, http.StatusUnprocessableEntity, "Nothing was imported", "instructor&#39;s account")
	ivan.sendRoster(path, "look", strings.Repeat("x", 3<<20), "").wants(t, http.StatusRequestEntityTooLarge)

	// The same for scripts.
	script := s.script("ivan")
	api := "/api/v1" + path
	script.do("POST", api+"?dry_run=1", "text/csv", strings.NewReader("email\nnew@example.org\n")).wants(t, http.StatusOK, `"new": true`)
	script.do("POST", api, "text/csv", strings.NewReader("email\nnew@example.org\n")).wants(t, http.StatusOK, "/link/")
	script.do("POST", api, "text/csv", strings.NewReader("email\nnew\n")).wants(t, http.StatusUnprocessableEntity, "list:2:1")
	script.do("POST", api, "text/csv", strings.NewReader("login\niris\n")).wants(t, http.StatusUnprocessableEntity, "list:2:1")

	// Sections have codes of their own.
	sections, err := s.db.Sections(ctx, s.a.CourseID)
	s.must(err)
	ivan.get(s.course).wants(t, http.StatusOK, "Tuesday", sections[0].JoinCode)
	bob := s.as("bob")
	bob.post("/join", url.Values{"code": {sections[0].JoinCode}}).wants(t, http.StatusSeeOther)
	e, err := s.db.Enrolment(ctx, s.a.CourseID, s.find("bob").ID)
	if err != nil || e.SectionID != sections[0].ID {
		t.Errorf("bob's enrolment is %+v, %v", e, err)
	}
	for _, form := range []url.Values{{"do": {"rename"}, "name": {"Friday"}}, {"do": {"close"}}, {"do": {"open"}}, {"do": {"delete"}}} {
		ivan.post(s.course+"/sections/"+itoa(sections[0].ID), form).wants(t, http.StatusSeeOther)
	}
	ivan.post(s.course+"/sections", url.Values{"name": {"Monday"}}).wants(t, http.StatusSeeOther)
	ivan.get(s.course+"/gradebook").wants(t, http.StatusOK, "Monday")
}

// TestAssignmentAPI makes and changes an assignment and grades by script.
func TestAssignmentAPI(t *testing.T) {
	s := newCoursework(t)
	ivan := s.script("ivan")
	var a struct {
		ID    int64
		Title string
		Due   time.Time
		Yours struct{ Phase string }
	}
	settings := map[string]any{"title": "VLANs", "lab": "static-routing", "due": "2001-02-01T18:00:00Z", "late_percent": 10, "team_size": 2, "digest": "d1"}
	ivan.api("POST", "/api/v1"+s.course+"/assignments", settings, &a).wants(t, http.StatusCreated)
	if a.Title != "VLANs" || a.Yours.Phase != "late" || a.Due.Year() != 2001 {
		t.Errorf("made %+v", a)
	}
	path := "/api/v1/assignments/" + itoa(a.ID)
	for _, bad := range []map[string]any{{"title": "x", "lab": "nothing"}, {"title": "", "lab": "hidden"}, {"title": "x", "lab": "hidden", "digest": "zzz"}, {"title": "x", "lab": "hidden", "bogus": 1}} {
		ivan.api("PUT", path, bad, nil).wants(t, http.StatusUnprocessableEntity)
	}
	ivan.api("PUT", path, map[string]any{"title": "x", "lab": "hidden", "due": "tomorrow"}, nil).wants(t, http.StatusUnprocessableEntity, "is no time: write it like")
	settings["points"] = 5
	ivan.api("PUT", path, settings, nil).wants(t, http.StatusOK, `"points": 5`)
	var team struct{ ID int64 }
	ivan.api("POST", path+"/teams", map[string]any{"name": "Red"}, &team).wants(t, http.StatusCreated)
	student := path + "/students/" + itoa(s.find("ada").ID)
	ivan.api("PUT", student+"/team", map[string]any{"team": team.ID}, nil).wants(t, http.StatusNoContent)
	ivan.get(path+"/teams").wants(t, http.StatusOK, `"ada"`)
	ivan.api("PUT", student+"/extension", map[string]any{"due": "2099-01-01T00:00:00Z", "comment": "ill"}, nil).wants(t, http.StatusOK, "2099", "extension given")
	ivan.api("PUT", student+"/adjustment", map[string]any{"kind": "set", "value": 4, "comment": "seen in the lab"}, nil).wants(t, http.StatusOK, `"points": 4`, `"new": 4`)
	s.script("ada").get(path).wants(t, http.StatusOK, `"points": 4`, "2099", `"phase": "open"`)
	ivan.get("/api/v1"+s.course+"/grades").wants(t, http.StatusOK, `"points": 4`)
	ivan.api("DELETE", student+"/adjustment", nil, nil).wants(t, http.StatusOK)
	ivan.api("DELETE", student+"/extension", nil, nil).wants(t, http.StatusOK)
	ivan.api("PUT", student+"/team", map[string]any{"team": 0}, nil).wants(t, http.StatusNoContent)
	ivan.api("POST", path+"/release", map[string]any{"show": false}, nil).wants(t, http.StatusOK, `"held": true`)
	ivan.do("DELETE", path, "", nil).wants(t, http.StatusNoContent)
}
