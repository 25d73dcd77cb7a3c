package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/library"
)

// newCatalogSite is newLibrarySite with built-in labs: a, b after a, and c
// after b and one that is not there.
func newCatalogSite(t *testing.T) (*site, *library.Library) {
	t.Helper()
	s, l := newLibrarySite(t)
	fsys := fstest.MapFS{}
	for slug, head := range map[string]string{
		"a": "title: Alpha\ntopic: basics\ndifficulty: beginner\nminutes: 20\n",
		"b": "title: Beta\ntopic: routing\ndifficulty: advanced\nrequires: [a]\ntags: [frr]\n",
		"c": "title: Gamma\ntopic: routing\nrequires: [b, nowhere]\nsummary: <b>bold</b>\n",
	} {
		fsys[slug+"/lab.yaml"] = &fstest.MapFile{Data: []byte(head + "nodes: {pc1: {}}\n")}
		fsys[slug+"/guide.md"] = &fstest.MapFile{Data: []byte("# Do\n")}
	}
	s.must(l.Include(fsys, []string{"a", "b", "c"}))
	return s, l
}

// states is how the catalog stands for somebody.
func (b *browser) states() string {
	b.s.t.Helper()
	var all []struct{ Slug, State string }
	b.api(http.MethodGet, "/api/v1/catalog", nil, &all).wants(b.s.t, http.StatusOK)
	var out []string
	for _, l := range all {
		out = append(out, l.Slug+"="+l.State)
	}
	return strings.Join(out, " ")
}

func TestCatalogStates(t *testing.T) {
	ctx := context.Background()
	s, _ := newCatalogSite(t)
	course, err := s.db.CoursesOf(ctx, s.find("ada").ID)
	s.must(err)
	// bob is in no course: he knows of what everybody may know.
	ada, bob := s.script("ada"), s.script("bob")
	if got := bob.states(); got != "a=closed b=closed c=closed" {
		t.Errorf("bob: %s", got)
	}
	s.must(s.db.SetCourseLabs(ctx, course[0].ID, []string{"a", "b", "static-routing"}))
	wants := func(want string) {
		t.Helper()
		if got := ada.states(); got != want {
			t.Errorf("ada: %s; want %s", got, want)
		}
	}
	wants("static-routing=next a=next b= c=closed")
	ada.api(http.MethodPost, "/api/v1/labs/a/rack", nil, nil).wants(t, http.StatusOK)
	wants("static-routing=next a=started b= c=closed")
	s.must(s.db.SetPassed(ctx, s.find("ada").ID, "a", "d"))
	s.must(s.db.SetPassed(ctx, s.find("ada").ID, "a", "e")) // twice does no harm
	wants("static-routing=next a=done b=next c=closed")

	// What an assignment that has opened is of is open, and graded work is done.
	as := labs.Assignment{CourseID: course[0].ID, Title: "Third", LabSlug: "c", Counts: labs.Best, OpensAt: time.Now().Add(time.Hour)}
	s.must(s.db.CreateAssignment(ctx, &as))
	wants("static-routing=next a=done b=next c=closed")
	as.OpensAt = time.Time{}
	s.must(s.db.UpdateAssignment(ctx, &as, s.find("ivan").ID))
	wants("static-routing=next a=done b=next c=")
	s.as("ada").get("/catalog").wants(t, http.StatusOK, `href="/assignments/`+itoa(as.ID)+`"`)
	sub, err := s.db.BeginSubmission(ctx, as.ID, s.find("ada").ID, "d")
	s.must(err)
	s.must(s.db.SubmissionTaken(ctx, sub.ID))
	sub, _, err = s.db.ClaimSubmission(ctx)
	s.must(err)
	s.must(s.db.FinishSubmission(ctx, sub.ID, "d", 1, 10))
	wants("static-routing=next a=done b=next c=done")

	// Teachers have every lab, and are told of nothing to do.
	if got := s.script("iris").states(); got != "static-routing= a= b= c=" {
		t.Errorf("iris: %s", got)
	}
}

func TestCatalogPages(t *testing.T) {
	s, _ := newCatalogSite(t)
	ivan, bob := s.as("ivan"), s.as("bob")
	for _, c := range []struct {
		who    *browser
		path   string
		status int
		has    []string
		lacks  []string
	}{
		{ivan, "/catalog", 200, []string{`aria-current="page">Catalog`, "<svg", `data-from="a" data-to="b"`, "4 labs", "sent by ivan", "Use in a course", "&lt;b&gt;bold"}, []string{"do next", "<b>bold", "style="}},
		{ivan, "/catalog?q=FRR", 200, []string{"1 of 4 labs", `value="FRR"`}, []string{`data-catalog-none>`}},
		{ivan, "/catalog?topic=routing&difficulty=advanced", 200, []string{"1 of 4 labs", `value="routing" selected`, `value="advanced" selected`}, nil},
		{ivan, "/catalog?topic=%22%3E%3Cscript%3E&q=%00%3Cx", 200, []string{"0 of 4 labs", "No lab matches", `data-catalog-none>`}, []string{"<x"}},
		{bob, "/catalog", 200, []string{"3 labs", "in none of your courses"}, []string{"First", "static-routing", "Use in a course"}},
		{bob, "/catalog/c", 200, []string{"Beta", `<code>nowhere</code>`, "not on this server", "Ask your instructor"}, []string{"Open the lab", "Copy to change", "/use"}},
		{bob, "/catalog/a", 200, []string{"20 minutes", "one can begin here", `<a href="/catalog/b">Beta</a>`}, nil},
		{bob, "/catalog/static-routing", 404, nil, []string{"First"}},
		{bob, "/catalog/none", 404, nil, nil},
		{ivan, "/catalog/a", 200, []string{"Open the lab", "Make an assignment", "Networks", `value="a-ivan"`}, []string{"Other"}},
		{s.as("root"), "/catalog/a", 200, []string{"Networks", "Other"}, nil},
	} {
		a := c.who.get(c.path)
		a.wants(t, c.status, c.has...)
		for _, word := range c.lacks {
			if strings.Contains(a.body, word) {
				t.Errorf("%s says %q:\n%s", c.path, word, a.body)
			}
		}
	}
	empty := newSite(t)
	empty.as("bob").get("/catalog").wants(t, http.StatusOK, "no labs for you here yet")
}

func TestUseLab(t *testing.T) {
	ctx := context.Background()
	s, _ := newCatalogSite(t)
	mine, err := s.db.CoursesOf(ctx, s.find("ivan").ID)
	s.must(err)
	others, err := s.db.CoursesOf(ctx, s.find("iris").ID)
	s.must(err)
	course, theirs := itoa(mine[0].ID), itoa(others[0].ID)
	for _, c := range []struct {
		login, lab, course, as string
		status                 int
		to                     string
	}{
		{"ada", "a", course, "practice", 403, ""},
		{"ivan", "a", theirs, "practice", 404, ""},
		{"ivan", "a", theirs, "assignment", 404, ""},
		{"ivan", "a", "", "practice", 422, ""},
		{"ivan", "a", course, "", 422, ""},
		{"ivan", "none", course, "practice", 404, ""},
		{"ivan", "a", course, "practice", 303, "/courses/" + course},
		{"ivan", "a", course, "practice", 303, "/courses/" + course}, // it has it
		{"ivan", "b", course, "assignment", 303, "/courses/" + course + "/assignments/new?lab=b"},
	} {
		a := s.as(c.login).post("/catalog/"+c.lab+"/use", url.Values{"course": {c.course}, "as": {c.as}})
		if a.status != c.status || a.header.Get("Location") != c.to {
			t.Errorf("%+v: %d, to %q", c, a.status, a.header.Get("Location"))
		}
	}
	api := "/api/v1/courses/" + course + "/labs/"
	s.script("ivan").api("PUT", api+"c", nil, nil).wants(t, http.StatusNoContent)
	s.script("ivan").api("PUT", api+"none", nil, nil).wants(t, http.StatusUnprocessableEntity)
	s.script("iris").api("PUT", api+"c", nil, nil).wants(t, http.StatusNotFound)
	have, err := s.db.CourseLabs(ctx, mine[0].ID)
	s.must(err)
	if got := fmt.Sprint(each(have, func(l labs.CourseLab) string { return l.Slug })); got != "[static-routing a c]" {
		t.Errorf("the course has %s", got)
	}
	if a := s.as("ivan").get("/courses/" + course + "/assignments/new?lab=b"); !strings.Contains(a.body, `value="b" selected`) {
		t.Error("the assignment is of another lab")
	}
}

func each[T, U any](all []T, f func(T) U) (out []U) {
	for _, v := range all {
		out = append(out, f(v))
	}
	return out
}

func TestCopyLab(t *testing.T) {
	s, l := newCatalogSite(t)
	ivan, iris := s.as("ivan"), s.as("iris")
	copied := func(b *browser, name string) answer { return b.post("/catalog/a/copy", url.Values{"name": {name}}) }
	copied(s.as("ada"), "mine").wants(t, http.StatusForbidden)
	copied(ivan, "Not a name").wants(t, http.StatusUnprocessableEntity, "is no name for a lab", `value="Not a name"`)
	copied(ivan, "b").wants(t, http.StatusConflict, "There is a lab b already")
	if a := copied(ivan, " mine "); a.status != http.StatusSeeOther || a.header.Get("Location") != "/catalog/mine" {
		t.Fatalf("%d, to %q", a.status, a.header.Get("Location"))
	}
	ivan.get("/catalog/mine").wants(t, http.StatusOK, "The copy is yours", "Copied from", `<a href="/catalog/a">Alpha</a>`, "New version")
	iris.get("/catalog/mine").wants(t, http.StatusOK, "Sent by", "Copy to change it")
	ivan.send("x.zip", zipped(t, "mine", "Mine alone", "# Anew\n")).wants(t, http.StatusSeeOther)
	ivan.get("/catalog/mine").wants(t, http.StatusOK, "Mine alone", "Copied from")
	iris.send("x.zip", zipped(t, "mine", "Hers", "# Anew\n")).wants(t, http.StatusUnprocessableEntity, "of ivan")

	api := "/api/v1/labs/a/copy"
	var lab struct{ Slug, Title, Topic string }
	s.script("iris").api("POST", api, map[string]string{"name": "hers"}, &lab).wants(t, http.StatusCreated)
	if lab.Slug != "hers" || lab.Title != "Alpha" || lab.Topic != "basics" {
		t.Errorf("got %+v", lab)
	}
	s.script("iris").api("POST", api, map[string]string{"name": "mine"}, nil).wants(t, http.StatusConflict, "choose another name")
	s.script("ada").api("POST", api, map[string]string{"name": "adas"}, nil).wants(t, http.StatusForbidden)
	s.script("iris").api("POST", "/api/v1/labs/none/copy", map[string]string{"name": "x"}, nil).wants(t, http.StatusNotFound)
	if info, err := l.Info("hers"); err != nil || info.By != "iris" || info.Origin.Slug != "a" {
		t.Errorf("got %+v, %v", info, err)
	}
	// Another site's page cannot have somebody copy.
	req := s.as("ivan")
	req.header.Set("Sec-Fetch-Site", "cross-site")
	copied(req, "stolen").wants(t, http.StatusForbidden)
}
