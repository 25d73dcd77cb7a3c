// Package web is Patchbay's face: the pages, the API under /api/v1 and the
// websocket that joins a browser to its rack. It decides who may do what, and
// it is the one place where errors become status codes. It owns no guest: a
// rack is reached through the Racks interface and outlives the server.
package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"runtime"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/websocket"
	"golang.org/x/sync/singleflight"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/library"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/leak"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/vnet/outside"
)

// Racks is where racks run. Its methods are safe for use by several
// goroutines. For a rack that does not run, all but Start, Running, Runs and Leaks
// return an error with code NotFound.
type Racks interface {
	// Start brings a rack up and returns once its API answers; its nodes go on
	// booting. A rack that runs already is left alone.
	Start(ctx context.Context, spec rack.Spec) error
	// Running lists the IDs of all racks that run.
	Running(ctx context.Context) ([]string, error)
	Runs(ctx context.Context, id string) (bool, error)
	State(ctx context.Context, id string) (*rack.State, error)
	Do(ctx context.Context, id string, op rack.Op) error
	Exec(ctx context.Context, id, node string, req rack.ExecRequest) (*rack.ExecResult, error)
	// Capture and Frames open a recording, as pcapng and as JSON; the caller
	// closes it.
	Capture(ctx context.Context, id string, q *rack.CaptureQuery) (io.ReadCloser, error)
	Frames(ctx context.Context, id string, q *rack.CaptureQuery) (io.ReadCloser, error)
	// Connect connects to a TCP port of a node that its lab publishes; the
	// caller closes it. What the rack or the guest refuses is a *rack.Refusal.
	Connect(ctx context.Context, id, node string, port int) (net.Conn, error)
	// Watch says what of other students is looked for in a rack, and Leaks what
	// was seen; that is known of racks that do not run, too.
	Watch(ctx context.Context, id string, all []leak.Watched) error
	Leaks(ctx context.Context, id string) ([]leak.Sighting, error)
	// Dial opens the rack's stream; the caller closes it.
	Dial(ctx context.Context, id, session string, role rack.Role) (*websocket.Conn, error)
}

// Config is what a Server is made of.
type Config struct {
	Store   *sqlite.DB
	Labs    []*labs.Lab      // in the order in which lists show them; without a Library
	Library *library.Library // instead of Labs: they come and go, and instructors send them
	Racks   Racks

	// Grading is where labs are checked, and Submissions the folder in which
	// lies what was handed in; without them nothing is checked or taken. Graders
	// is how many submissions are graded at once; 0 means 1.
	Grading         handin.Racks
	Submissions     string
	Graders         int
	KeepSubmissions time.Duration // how long the disks of superseded attempts are kept; 0: for ever

	Uplink     []outside.Rule // what labs may reach outside; none lets nothing out
	Cache      string         // the folder of kernels and images, for the racks
	Static     fs.FS          // what browsers load
	StaticHash string         // names Static's content
	PublicURL  *url.URL       // how people reach the server; nil: as each request says
	Secure     bool           // cookies over HTTPS alone
	Proxies    []netip.Prefix // whose X-Forwarded-For is believed

	// PublishDomain is the domain below which what runs in labs is shown, each
	// port on a host of its own. Empty means localhost, which browsers on this
	// machine understand.
	PublishDomain string

	Log *slog.Logger

	// IdleTimeout and Lifetime end sessions. Zero means 12 hours without a
	// request, and 7 days in all.
	IdleTimeout, Lifetime time.Duration
	// Recheck is how often a live socket's owner is looked up again. Zero
	// means 15 seconds.
	Recheck time.Duration
}

// Server is an http.Handler. Close it after the http.Server that uses it was
// shut down: that waits for the sockets, which Shutdown knows nothing of.
type Server struct {
	cfg       Config
	log       *slog.Logger
	store     *sqlite.DB
	racks     Racks
	bySlug    map[string]*labs.Lab // of cfg.Labs; see lab
	passwords *labs.Passwords
	sessions  *scs.SessionManager
	pages     *pages
	guides    *guides
	drawn     drawn
	docs      *document
	handbook  []chapter
	logins    *limiter // failed logins and links, per address and login
	addresses *limiter // the same, per address alone
	starts    *limiter // racks started, per user
	starting  singleflight.Group
	live      live
	handler   http.Handler

	visits        visits
	published     http.Handler // answers on the hosts of published pages
	publishedPage *template.Template
	proxy         *httputil.ReverseProxy
	closeIdle     func() // the proxy's connections that nobody uses

	desk       *handin.Desk // nil: nothing is handed in
	background sync.WaitGroup
	ending     context.Context // done when Close was called
	stop       context.CancelFunc
}

// New makes a Server. The caller must Close it.
func New(cfg Config) (*Server, error) {
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 12 * time.Hour
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 7 * 24 * time.Hour
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = 15 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Store == nil || cfg.Racks == nil || cfg.Static == nil {
		return nil, errors.New("making web server: Store, Racks and Static are needed")
	}
	s := &Server{
		cfg:    cfg,
		log:    cfg.Log,
		store:  cfg.Store,
		racks:  cfg.Racks,
		bySlug: make(map[string]*labs.Lab, len(cfg.Labs)),
		guides: newGuides(),
		// Each takes 19 MiB and a core for some 20 ms; more at once than cores
		// would only make everybody wait.
		passwords: labs.NewPasswords(max(2, runtime.GOMAXPROCS(0))),
		// Twelve seconds a guess, after ten that are free. A class behind one
		// address has 300 mistakes and two more a second.
		logins:    newLimiter(1.0/12, 10),
		addresses: newLimiter(2, 300),
		starts:    newLimiter(1.0/5, 10),
	}
	for _, l := range cfg.Labs {
		s.bySlug[l.Slug] = l
	}
	s.sessions = newSessions(cfg, s.fail)
	var err error
	if s.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	if s.docs, err = parseDocument(openapiYAML); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	if s.handbook, err = parseHandbook(s.guides); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	if s.handler, err = s.routes(); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	if s.publishedPage, err = parsePublishedPage(); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	if err := checkPublishDomain(cfg); err != nil {
		return nil, fmt.Errorf("making web server: %w", err)
	}
	s.proxy = s.newPublishProxy()
	s.published = s.publishedRoutes()
	s.ending, s.stop = context.WithCancel(context.Background())
	s.background.Go(func() { s.sweep(s.ending) })
	if err := s.openDesk(); err != nil {
		s.Close()
		return nil, fmt.Errorf("making web server: %w", err)
	}
	s.background.Go(func() { s.lookOut(s.ending) })
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.publishedHost(r.Host); ok {
		s.published.ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// Close tells every live socket that the server goes away, and waits for them
// and for the server's own goroutines. The racks run on.
func (s *Server) Close() {
	s.stop()
	s.live.closeAll()
	s.closeIdle()
	s.background.Wait()
}

// sweep deletes what has expired, once an hour.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.store.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("sweeping the database", "err", err)
			}
		}
	}
}
