package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/leak"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/web"
)

const password = "correct horse"

// site is a server on a real database, with racks that are not.
type site struct {
	t     *testing.T
	url   string
	db    *sqlite.DB
	racks *fakeRacks
	log   *syncBuffer
	web   *web.Server
}

// newSite serves two labs. The course has the first of them; ada is in it as a
// student, ivan teaches it, bob is in nothing, iris is an instructor of
// another course, and root is the admin.
func newSite(t *testing.T, change ...func(*web.Config)) *site {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, racks: newFakeRacks(t), log: &syncBuffer{}}
	cfg := web.Config{
		Store: db,
		Racks: s.racks,
		Labs: []*labs.Lab{
			{Slug: "static-routing", Title: "Static routing", Summary: "Routes by hand.", Digest: "d1",
				Difficulty: labs.Beginner, Guide: "# Begin\n\n```sh pc1\nip route\n```\n",
				Topology: labs.Topology{Nodes: []labs.Node{{Name: "pc1"}, {Name: "pc2"}}}},
			{Slug: "hidden", Title: "Hidden lab", Summary: "In no course.", Digest: "d2"},
		},
		Static: fstest.MapFS{
			"site.css":  {Data: []byte(strings.Repeat("body { color: red }\n", 200))},
			"lab.js":    {Data: []byte("export {}")},
			".gitkeep":  {Data: nil},
			"a/b.woff2": {Data: []byte("font")},
		},
		StaticHash: "0123456789abcdef",
		Cache:      "/cache",
		Log:        slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	s.web, err = web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.web)
	s.url = server.URL
	t.Cleanup(func() {
		server.Close()
		s.web.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})

	s.user("root", labs.Admin)
	ivan := s.user("ivan", labs.Instructor)
	iris := s.user("iris", labs.Instructor)
	ada := s.user("ada", labs.Student)
	s.user("bob", labs.Student)
	course, err := db.CreateCourse(ctx, "Networks", ivan.ID)
	s.must(err)
	s.must(db.Enrol(ctx, course.ID, ada.ID, false))
	s.must(db.SetCourseLabs(ctx, course.ID, []string{"static-routing"}))
	_, err = db.CreateCourse(ctx, "Other", iris.ID)
	s.must(err)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// hashed is the hash of password, made once: it is slow on purpose.
var hashed = sync.OnceValues(func() (string, error) {
	return labs.NewPasswords(1).Hash(context.Background(), password)
})

func (s *site) user(login string, role labs.Role) labs.User {
	s.t.Helper()
	hash, err := hashed()
	s.must(err)
	u := labs.User{Login: login, Name: strings.ToUpper(login[:1]) + login[1:], Role: role}
	s.must(s.db.CreateUser(context.Background(), &u, hash))
	return u
}

func (s *site) find(login string) labs.User {
	s.t.Helper()
	u, _, err := s.db.UserByLogin(context.Background(), login)
	s.must(err)
	return u
}

// browser is somebody at the site. It follows no redirections.
type browser struct {
	s      *site
	client *http.Client
	header http.Header // sent with every request
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	s.must(err)
	return &browser{s: s, header: http.Header{}, client: &http.Client{
		Jar:           jar,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as logs in through the form; "" is nobody.
func (s *site) as(login string) *browser {
	s.t.Helper()
	b := s.browser()
	if login == "" {
		return b
	}
	a := b.post("/login", url.Values{"login": {login}, "password": {password}})
	if a.status != http.StatusSeeOther {
		s.t.Fatalf("logging in as %s: status %d; want 303\n%s", login, a.status, a.body)
	}
	return b
}

// script is somebody with an API token.
func (s *site) script(login string) *browser {
	s.t.Helper()
	_, secret, err := s.db.CreateToken(context.Background(), s.find(login).ID, "test", time.Time{})
	s.must(err)
	b := s.browser()
	b.header.Set("Authorization", "Bearer pb_"+secret)
	return b
}

func (b *browser) do(method, path, contentType string, body io.Reader) answer {
	b.s.t.Helper()
	req, err := http.NewRequest(method, b.s.url+path, body)
	b.s.must(err)
	for k, v := range b.header {
		req.Header[k] = v
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.client.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.s.must(err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(path string) answer {
	b.s.t.Helper()
	return b.do(http.MethodGet, path, "", nil)
}

func (b *browser) post(path string, form url.Values) answer {
	b.s.t.Helper()
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// api sends v as JSON and reads the answer into out, unless that is nil.
func (b *browser) api(method, path string, v, out any) answer {
	b.s.t.Helper()
	var body io.Reader
	if v != nil {
		text, err := json.Marshal(v)
		b.s.must(err)
		body = bytes.NewReader(text)
	}
	a := b.do(method, path, "application/json", body)
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			b.s.t.Fatalf("%s %s: %v\n%s", method, path, err, a.body)
		}
	}
	return a
}

// wants checks an answer's status and that its body has all of the words.
func (a answer) wants(t *testing.T, status int, words ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d; want %d\n%s", a.status, status, a.body)
	}
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			t.Errorf("the answer does not say %q:\n%s", w, a.body)
		}
	}
}

// startLab starts ada's rack and gives its ID.
func (s *site) startLab() string {
	s.t.Helper()
	var r struct{ ID string }
	s.script("ada").api(http.MethodPost, "/api/v1/labs/static-routing/rack", nil, &r).wants(s.t, http.StatusOK)
	if r.ID == "" {
		s.t.Fatal("the rack has no ID")
	}
	return r.ID
}

// fakeRacks are racks without guests: a set of IDs, and a websocket server
// whose end of each stream the test can have.
type fakeRacks struct {
	server *httptest.Server
	dialed chan *websocket.Conn // the racks' ends of streams
	roles  chan string

	mu      sync.Mutex
	running map[string]rack.Spec
	leaks   map[string][]leak.Sighting
	ops     []rack.Op
	starts  int
	refuse  error                                                                  // what Do and Exec return
	failed  error                                                                  // what Start returns
	hung    string                                                                 // the rack whose State does not come
	guest   func(ctx context.Context, id, node string, port int) (net.Conn, error) // Connect
	hold    chan struct{}                                                          // when not nil, Start waits for it
	record  io.ReadCloser                                                          // what Capture and Frames give; nil refuses
	queries []rack.CaptureQuery
}

func newFakeRacks(t *testing.T) *fakeRacks {
	f := &fakeRacks{running: map[string]rack.Spec{}, dialed: make(chan *websocket.Conn, 8), roles: make(chan string, 8)}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u websocket.Upgrader
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		f.roles <- r.URL.Query().Get("role")
		f.dialed <- c
	}))
	// On a unix socket, as racks are: it ends otherwise than TCP.
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "sock"))
	if err != nil {
		t.Fatal(err)
	}
	f.server.Listener.Close()
	f.server.Listener = ln
	f.server.Start()
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeRacks) Start(ctx context.Context, spec rack.Spec) error {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return f.failed
	}
	f.starts++
	f.running[spec.ID] = spec
	return nil
}

func (f *fakeRacks) Running(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id := range f.running {
		ids = append(ids, id)
	}
	return ids, nil
}

func (f *fakeRacks) spec(id string) (rack.Spec, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	spec, ok := f.running[id]
	if !ok {
		return rack.Spec{}, labs.Errorf(labs.NotFound, "The rack does not run.")
	}
	return spec, nil
}

func (f *fakeRacks) Runs(_ context.Context, id string) (bool, error) {
	_, err := f.spec(id)
	return err == nil, nil
}

func (f *fakeRacks) State(_ context.Context, id string) (*rack.State, error) {
	spec, err := f.spec(id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	hung := f.hung == id
	f.mu.Unlock()
	if hung {
		return nil, fmt.Errorf("asking: %w", context.DeadlineExceeded)
	}
	st := &rack.State{Rack: id, Owner: spec.Owner, Lab: spec.LabSlug, Title: spec.Title, Status: rack.Running}
	for _, n := range spec.Topology.Nodes {
		st.Nodes = append(st.Nodes, rack.NodeState{Name: n.Name, Status: rack.Running, Publish: n.Publish})
	}
	return st, nil
}

func (f *fakeRacks) Do(_ context.Context, id string, op rack.Op) error {
	if _, err := f.spec(id); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.ops = append(f.ops, op)
	if op.Do == "end" {
		delete(f.running, id)
	}
	return nil
}

func (f *fakeRacks) Exec(_ context.Context, id, node string, req rack.ExecRequest) (*rack.ExecResult, error) {
	if _, err := f.spec(id); err != nil {
		return nil, err
	}
	if f.refuse != nil {
		return nil, f.refuse
	}
	return &rack.ExecResult{Stdout: fmt.Appendf(nil, "%s on %s", strings.Join(req.Args, " "), node)}, nil
}

func (f *fakeRacks) Capture(_ context.Context, id string, q *rack.CaptureQuery) (io.ReadCloser, error) {
	if _, err := f.spec(id); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, *q)
	if f.record == nil {
		return nil, &rack.Refusal{Status: http.StatusBadRequest, Problem: rack.Problem{Error: "there is no cable \"pc9/eth0\""}}
	}
	return f.record, nil
}

func (f *fakeRacks) Frames(ctx context.Context, id string, q *rack.CaptureQuery) (io.ReadCloser, error) {
	return f.Capture(ctx, id, q)
}

func (f *fakeRacks) Watch(_ context.Context, id string, all []leak.Watched) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	spec := f.running[id]
	spec.Watch = all
	f.running[id] = spec
	return nil
}

func (f *fakeRacks) Leaks(_ context.Context, id string) ([]leak.Sighting, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaks[id], nil
}

func (f *fakeRacks) Connect(ctx context.Context, id, node string, port int) (net.Conn, error) {
	if _, err := f.spec(id); err != nil {
		return nil, err
	}
	return f.guest(ctx, id, node, port)
}

func (f *fakeRacks) Dial(ctx context.Context, id, session string, role rack.Role) (*websocket.Conn, error) {
	if _, err := f.spec(id); err != nil {
		return nil, err
	}
	d := websocket.Dialer{NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", f.server.Listener.Addr().String())
	}}
	c, _, err := d.DialContext(ctx, "ws://rack/?role="+string(role)+"&session="+session, nil)
	return c, err
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
