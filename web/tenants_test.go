package web_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
)

// denied is how a route refuses people: nobody, a student of another course, a
// student of the course who does not own what is asked for, an assistant (a
// student who teaches another course) and an instructor of another course. 0
// is who may ask, and is not asked. Who is not logged in gets 401 from the API
// and from forms, and pages lead to the log-in.
type denied [5]int

var (
	anybodys = denied{}                        // no log-in needed
	own      = denied{401, 0, 0, 0, 0}         // shows or changes one's own things alone
	staffs   = denied{401, 404, 404, 404, 404} // of a course
	members  = denied{401, 404, 0, 404, 404}   // of a course
	owners   = denied{401, 404, 404, 404, 404} // of a rack, and who may look at it
	teach    = denied{401, 403, 403, 403, 0}   // by their role
	admin    = denied{401, 403, 403, 403, 403}
)

// tenants is who may not use which route. Whoever adds a route says it here.
var tenants = map[string]denied{
	"GET /healthz": anybodys, "GET /login": anybodys, "POST /login": anybodys, "POST /logout": anybodys,
	"GET /link/{secret}": anybodys, "POST /link/{secret}": anybodys, "GET /join": anybodys, "POST /join": anybodys,
	"GET /api/openapi.yaml": anybodys, "GET /api/docs": anybodys, "GET /docs": anybodys, "GET /docs/{page}": anybodys,
	"GET /lab.schema.json": anybodys,

	"GET /": own, "GET /account": own, "POST /account/password": own, "POST /account/sessions/end": own,
	"POST /account/tokens": own, "POST /account/tokens/{token}/revoke": {401, 404, 404, 404, 404},
	"GET /api/v1/me": own, "GET /api/v1/tokens": own, "POST /api/v1/tokens": own, "POST /api/v1/join": own,
	"DELETE /api/v1/tokens/{token}": {401, 404, 404, 404, 404},
	"GET /api/v1/labs":              own, "GET /api/v1/racks": own, "GET /api/v1/courses": own,

	"GET /labs/{lab}": {401, 404, 0, 404, 0}, "POST /labs/{lab}/stop": {401, 404, 404, 404, 404}, // they have none
	"GET /api/v1/labs/{lab}":      {401, 404, 0, 404, 0},
	"GET /api/v1/labs/{lab}/rack": {401, 404, 404, 404, 404}, "POST /api/v1/labs/{lab}/rack": {401, 404, 0, 404, 0},

	"GET /catalog": own, "GET /api/v1/catalog": own, "GET /catalog/{lab}": {401, 404, 0, 404, 0},
	"POST /catalog/{lab}/use": teach, "POST /catalog/{lab}/copy": teach, "POST /api/v1/labs/{lab}/copy": teach,
	"PUT /api/v1/courses/{course}/labs/{lab}": staffs,

	"GET /racks/{rack}": owners, "GET /racks/{rack}/published/{node}/{port}": owners,
	"GET /api/v1/racks/{rack}": owners, "DELETE /api/v1/racks/{rack}": owners, "POST /api/v1/racks/{rack}/do": owners,
	"GET /api/v1/racks/{rack}/stream":  {401, 422, 422, 422, 422}, // no websocket; TestStreamRoles has those
	"GET /api/v1/racks/{rack}/capture": owners, "GET /api/v1/racks/{rack}/frames": owners,
	"POST /api/v1/racks/{rack}/check": owners, "GET /api/v1/racks/{rack}/checks": owners,
	"POST /api/v1/racks/{rack}/nodes/{node}/exec": owners,

	"GET /courses/{course}": staffs, "POST /courses/{course}/title": staffs, "POST /courses/{course}/labs": staffs,
	"POST /courses/{course}/code": staffs, "POST /courses/{course}/members/{user}": staffs,
	"POST /courses/{course}/sections": staffs, "POST /courses/{course}/sections/{section}": staffs,
	"GET /courses/{course}/leaks": staffs, "GET /courses/{course}/roster": staffs, "POST /courses/{course}/roster": staffs,
	"GET /courses/{course}/assignments/new": staffs, "POST /courses/{course}/assignments": staffs,
	"GET /courses/{course}/gradebook": staffs, "GET /courses/{course}/gradebook.csv": staffs,
	"GET /api/v1/courses/{course}": staffs, "PATCH /api/v1/courses/{course}": staffs, "PUT /api/v1/courses/{course}/labs": staffs,
	"POST /api/v1/courses/{course}/code": staffs, "GET /api/v1/courses/{course}/leaks": staffs,
	"GET /api/v1/courses/{course}/members": staffs, "PUT /api/v1/courses/{course}/members/{user}": staffs,
	"DELETE /api/v1/courses/{course}/members/{user}": staffs, "POST /api/v1/courses/{course}/roster": staffs,
	"GET /api/v1/courses/{course}/sections": staffs, "POST /api/v1/courses/{course}/sections": staffs,
	"PATCH /api/v1/courses/{course}/sections/{section}":  staffs,
	"DELETE /api/v1/courses/{course}/sections/{section}": staffs,
	"GET /api/v1/courses/{course}/assignments":           members, "POST /api/v1/courses/{course}/assignments": staffs,
	"GET /api/v1/courses/{course}/grades": staffs,

	"GET /submissions/{submission}": owners, "GET /submissions/{submission}/evidence/{boot}/{check}/{n}": staffs,
	"POST /submissions/{submission}/regrade": staffs, "POST /submissions/{submission}/reopen": staffs,

	"GET /assignments/{assignment}": members, "GET /assignments/{assignment}/lab": members,
	"POST /assignments/{assignment}/stop":        {401, 404, 404, 404, 404}, // theirs is none
	"POST /assignments/{assignment}/submissions": members, "POST /assignments/{assignment}/team": members,
	"POST /assignments/{assignment}/regrade": staffs, "GET /assignments/{assignment}/settings": staffs,
	"POST /assignments/{assignment}/settings": staffs, "GET /assignments/{assignment}/teams": staffs,
	"POST /assignments/{assignment}/teams": staffs, "POST /assignments/{assignment}/release": staffs,
	"GET /assignments/{assignment}/grades/{user}": staffs, "POST /assignments/{assignment}/grades/{user}": staffs,
	"GET /api/v1/assignments/{assignment}": members, "PUT /api/v1/assignments/{assignment}": staffs,
	"DELETE /api/v1/assignments/{assignment}": staffs, "POST /api/v1/assignments/{assignment}/release": staffs,
	"GET /api/v1/assignments/{assignment}/rack":  {401, 404, 404, 404, 404},
	"POST /api/v1/assignments/{assignment}/rack": members, "GET /api/v1/assignments/{assignment}/teams": staffs,
	"POST /api/v1/assignments/{assignment}/teams":                        staffs,
	"PUT /api/v1/assignments/{assignment}/students/{user}/team":          staffs,
	"PUT /api/v1/assignments/{assignment}/students/{user}/extension":     staffs,
	"DELETE /api/v1/assignments/{assignment}/students/{user}/extension":  staffs,
	"GET /api/v1/assignments/{assignment}/students/{user}/grade":         staffs,
	"PUT /api/v1/assignments/{assignment}/students/{user}/adjustment":    staffs,
	"DELETE /api/v1/assignments/{assignment}/students/{user}/adjustment": staffs,
	"GET /api/v1/assignments/{assignment}/submissions":                   members,
	"POST /api/v1/assignments/{assignment}/submissions":                  members,
	"POST /api/v1/assignments/{assignment}/regrade":                      staffs,
	"GET /api/v1/submissions/{submission}":                               owners,
	"POST /api/v1/submissions/{submission}/regrade":                      staffs,
	"POST /api/v1/submissions/{submission}/reopen":                       staffs,
	"GET /api/v1/submissions/{submission}/report":                        owners,

	"GET /labs": teach, "POST /labs": teach, "GET /labs/{lab}/versions": teach, "GET /labs/{lab}/versions/{digest}": teach,
	"POST /labs/{lab}/remove": teach, "GET /courses": teach, "POST /courses": teach,
	"POST /api/v1/courses": teach, "POST /api/v1/labs": teach, "DELETE /api/v1/labs/{lab}": teach,
	"GET /api/v1/labs/{lab}/versions": teach, "GET /api/v1/labs/{lab}/versions/{digest}": teach,

	"GET /admin/users": admin, "POST /admin/users": admin, "POST /admin/users/{user}": admin,
	"GET /admin/racks": admin, "POST /admin/racks/{rack}/stop": admin,
	"GET /api/v1/users": admin, "POST /api/v1/users": admin, "GET /api/v1/users/{user}": admin,
	"PATCH /api/v1/users/{user}": admin, "POST /api/v1/users/{user}/link": admin,
}

// TestTenants asks for every route of the router, with what belongs to ada and
// her course, as everybody who must not have it.
func TestTenants(t *testing.T) {
	ctx := context.Background()
	s := newCoursework(t, func(a *labs.Assignment) { a.LabSlug = "static-routing" })
	var practice struct{ ID string }
	s.script("ada").api("POST", "/api/v1/labs/static-routing/rack", nil, &practice).wants(t, http.StatusOK)
	sub := s.graded("ada", 5, 10)
	section, err := s.db.CreateSection(ctx, s.a.CourseID, "Tuesday")
	s.must(err)
	token, _, err := s.db.CreateToken(ctx, s.find("ada").ID, "script", time.Time{})
	s.must(err)
	// Another course, whose student bob is and which the assistant eve teaches.
	other, err := s.db.CreateCourse(ctx, "Elsewhere", s.find("iris").ID)
	s.must(err)
	s.must(s.db.SetCourseLabs(ctx, other.ID, []string{"hidden"}))
	s.must(s.db.Enrol(ctx, other.ID, s.find("bob").ID, false))
	s.must(s.db.Enrol(ctx, other.ID, s.user("eve", labs.Student).ID, true))
	ada := s.find("ada")

	who := []string{"", "bob", "carl", "eve", "iris"}
	var people []*browser
	for _, login := range who {
		people = append(people, s.as(login))
	}
	fill := strings.NewReplacer("{lab}", "static-routing", "{rack}", practice.ID, "{node}", "pc1", "{port}", "80",
		"{course}", strings.TrimPrefix(s.course, "/courses/"), "{user}", itoa(ada.ID), "{section}", itoa(section.ID),
		"{assignment}", itoa(s.a.ID), "{submission}", itoa(sub.ID), "{token}", itoa(token.ID),
		"{digest}", strings.Repeat("a", 64), "{secret}", "none", "{page}", "checks",
		"{boot}", "live", "{check}", "up", "{n}", "0")
	left := maps.Clone(tenants)
	before := s.everything()
	err = chi.Walk(s.web.Routes().(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/static/") {
			return nil // files that everybody has, by any method
		}
		name := method + " " + route
		want, ok := tenants[name]
		delete(left, name)
		if !ok {
			t.Errorf("%s is not in the table: say who may not use it", name)
			return nil
		}
		path := fill.Replace(route)
		if strings.ContainsAny(path, "{}") {
			t.Errorf("%s: the test does not know what to put into %s", name, path)
			return nil
		}
		for i, login := range who {
			status := want[i]
			if status == 0 {
				continue
			}
			if login == "" && method == http.MethodGet && !strings.HasPrefix(route, "/api/") {
				status = http.StatusSeeOther
			}
			a := people[i].do(method, path, "", nil)
			if a.status != status {
				t.Errorf("%s as %q: %d; want %d\n%.300s", name, login, a.status, status, a.body)
			}
			if status == http.StatusSeeOther && !strings.HasPrefix(a.header.Get("Location"), "/login") {
				t.Errorf("%s leads nobody to %q", name, a.header.Get("Location"))
			}
			for _, theirs := range []string{"Routes by hand", "It is up", "Tuesday", section.JoinCode} {
				if strings.Contains(a.body, theirs) {
					t.Errorf("%s tells %q of %q", name, login, theirs)
				}
			}
		}
		return nil
	})
	s.must(err)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s is in the table and nowhere else", name)
	}
	if after := s.everything(); after != before {
		t.Errorf("who was refused changed something:\n%s\nwas\n%s", after, before)
	}
	if runs, _ := s.racks.Runs(ctx, practice.ID); !runs {
		t.Error("somebody stopped ada's rack")
	}
}

// everything is what the API tells the admin of ada's course.
func (s *coursework) everything() string {
	s.t.Helper()
	var all strings.Builder
	root := s.script("root")
	for _, path := range []string{"/api/v1" + s.course, "/api/v1" + s.course + "/members", "/api/v1" + s.course + "/sections",
		"/api/v1" + s.course + "/assignments", "/api/v1" + s.course + "/grades", s.api + "/teams", s.api + "/submissions",
		s.api + "/students/" + itoa(s.find("ada").ID) + "/grade"} {
		a := root.get(path)
		a.wants(s.t, http.StatusOK)
		_, _ = io.WriteString(&all, a.body) // a strings.Builder takes everything
	}
	return all.String()
}

// TestAssistant: who teaches a course as a student's assistant has the labs of
// that course, and not those of the server.
func TestAssistant(t *testing.T) {
	ctx := context.Background()
	s := newCoursework(t)
	eve := s.user("eve", labs.Student)
	other, err := s.db.CreateCourse(ctx, "Elsewhere", s.find("iris").ID)
	s.must(err)
	s.must(s.db.Enrol(ctx, other.ID, eve.ID, true))
	course := "/courses/" + itoa(other.ID)
	page, script := s.as("eve"), s.script("eve")
	if body := page.get(course).body + page.get(course+"/assignments/new").body; strings.Contains(body, "Hidden lab") {
		t.Error("an assistant sees labs that the course does not have")
	}
	page.post(course+"/labs", url.Values{"lab": {"hidden"}}).wants(t, http.StatusForbidden, "an instructor has to add it")
	script.api("PUT", "/api/v1"+course+"/labs", []string{"hidden"}, nil).wants(t, http.StatusForbidden)
	script.api("POST", "/api/v1"+course+"/assignments", map[string]any{"title": "x", "lab": "hidden"}, nil).wants(t, http.StatusForbidden)
	page.post(course+"/assignments", url.Values{"title": {"x"}, "lab": {"hidden"}, "counts": {"best"}}).wants(t, http.StatusUnprocessableEntity, "an instructor has to add it")
	// An instructor may, and then the assistant, too.
	s.script("iris").api("PUT", "/api/v1"+course+"/labs", []string{"hidden"}, nil).wants(t, http.StatusOK)
	script.api("POST", "/api/v1"+course+"/assignments", map[string]any{"title": "x", "lab": "hidden"}, nil).wants(t, http.StatusCreated)
	page.post(course+"/labs", url.Values{"lab": {"hidden"}}).wants(t, http.StatusSeeOther)
}

// TestRemoved: who is removed from a course, or disabled, loses what was its.
func TestRemoved(t *testing.T) {
	ctx := context.Background()
	s := newCoursework(t, func(a *labs.Assignment) { a.TeamSize = 2 })
	team, err := s.db.CreateTeam(ctx, s.a.ID, "Red")
	s.must(err)
	for _, login := range []string{"ada", "carl"} {
		s.must(s.db.JoinTeam(ctx, team.ID, s.find(login).ID, s.find("ivan").ID))
	}
	var rack struct{ ID string }
	ada, carl := s.script("ada"), s.script("carl")
	ada.api("POST", s.api+"/rack", nil, &rack).wants(t, http.StatusOK)
	sub := s.graded("ada", 5, 10)
	paths := []string{"/api/v1/racks/" + rack.ID, s.api, "/api/v1/submissions/" + itoa(sub.ID)}
	for _, path := range paths {
		carl.get(path).wants(t, http.StatusOK)
	}
	s.must(s.db.Leave(ctx, s.a.CourseID, s.find("carl").ID))
	for _, path := range paths {
		carl.get(path).wants(t, http.StatusNotFound)
		ada.get(path).wants(t, http.StatusOK)
	}
	carl.api("POST", "/api/v1/racks/"+rack.ID+"/do", map[string]string{"do": "restart", "node": "pc1"}, nil).wants(t, http.StatusNotFound)
	carl.api("POST", "/api/v1/racks/"+rack.ID+"/nodes/pc1/exec", map[string]any{"args": []string{"id"}}, nil).wants(t, http.StatusNotFound)
	if body := carl.get("/api/v1/racks").body; strings.Contains(body, rack.ID) {
		t.Errorf("who was removed still lists the team's rack: %s", body)
	}
	u := s.find("ada")
	u.Disabled = true
	s.must(s.db.UpdateUser(ctx, &u))
	for _, path := range paths {
		ada.get(path).wants(t, http.StatusUnauthorized)
	}
}
