package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/static"
	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/web"
)

type serveCmd struct {
	Listen        string         `help:"Address to listen on." default:"127.0.0.1:8080" env:"PATCHBAY_LISTEN"`
	PublicURL     *url.URL       `help:"Where browsers find the server, when that is not the address it listens on." placeholder:"URL" env:"PATCHBAY_URL"`
	SecureCookies string         `help:"Send the session's cookie over HTTPS alone: auto (when the public URL is https), always or never." default:"auto" enum:"auto,always,never" env:"PATCHBAY_SECURE_COOKIES"`
	Proxy         []netip.Prefix `help:"Addresses of the reverse proxy whose X-Forwarded-For is believed, such as 127.0.0.1/32." placeholder:"CIDR" env:"PATCHBAY_PROXY"`
	Uplink        []outside.Rule `help:"Let labs that ask for it reach this outside: HOST:PORT, *.DOMAIN:PORT, NETWORK:PORT, or * for all that is not near. Several by several flags or commas; none lets nothing out." placeholder:"RULE" env:"PATCHBAY_UPLINK"`
	PublishDomain string         `help:"Domain below which pages that run in labs are shown, each on a host of its own (wildcard DNS, and a wildcard certificate); without it they open on this machine alone." placeholder:"DOMAIN" env:"PATCHBAY_PUBLISH_DOMAIN"`
	Labs          string         `help:"Folder of labs, such as a git work tree: each folder in it with a lab.yaml is served, and read again when it changes or on SIGHUP." placeholder:"DIR" type:"existingdir" env:"PATCHBAY_LABS"`
	Graders       int            `help:"How many submissions are graded at once, each with the machines of its lab, behind everything else that runs." default:"1" env:"PATCHBAY_GRADERS"`
	KeepDisks     time.Duration  `name:"keep-submissions" help:"Delete the disks of handed-in attempts that are this old and that a later graded attempt superseded, unless a grade is made of them; reports and scores stay. 0 keeps all." default:"0" placeholder:"DURATION" env:"PATCHBAY_KEEP_SUBMISSIONS"`
	Debug         string         `help:"Loopback address for profiles (net/http/pprof); none by default." placeholder:"ADDRESS"`
	LogJSON       bool           `help:"Log JSON instead of text."`
}

// shutdownWithin bounds how long requests under way may go on at the end.
const shutdownWithin = 10 * time.Second

func (c *serveCmd) Run(ctx context.Context, f *Folders) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	log := c.logger()
	// First of all: another server that has the port may have the database, too.
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return listenError(c.Listen, err)
	}
	defer ln.Close() // a second time, after Serve; that does no harm
	db, err := f.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	shelf, stopLabs, err := c.openLibrary(ctx, f, log)
	if err != nil {
		return err
	}
	defer stopLabs()

	racks := localRacks{&spawn.Local{State: f.State, Cache: f.Cache}}
	handler, err := web.New(web.Config{
		Store:      db,
		Library:    shelf,
		Racks:      racks,
		Uplink:     c.Uplink,
		Cache:      f.Cache,
		Static:     static.FS(),
		StaticHash: static.Hash(),
		PublicURL:  c.PublicURL,
		Secure:     c.secure(),
		Proxies:    c.Proxy,

		PublishDomain: c.PublishDomain,

		Log: log,

		Grading: racks, Submissions: filepath.Join(f.State, "submissions"), Graders: c.Graders, KeepSubmissions: c.KeepDisks,
	})
	if err != nil {
		return err
	}
	defer handler.Close()

	where := c.address(ln.Addr())
	if err := c.welcome(ctx, db, where); err != nil {
		return err
	}
	takeStock(ctx, f, racks, log)
	return c.serve(ctx, ln, handler, log)
}

func (c *serveCmd) check() error {
	if u := c.PublicURL; u != nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/") {
		return fmt.Errorf("--public-url %s: give the scheme and the host alone, such as https://labs.example.org", u)
	}
	if c.KeepDisks < 0 {
		return fmt.Errorf("--keep-submissions %v: give a time such as 720h, or 0 to keep all", c.KeepDisks)
	}
	if c.Debug != "" {
		a, err := netip.ParseAddrPort(c.Debug)
		if err != nil || !a.Addr().IsLoopback() {
			return fmt.Errorf("--debug %s: profiles are for this machine alone; give a loopback address, such as 127.0.0.1:6060", c.Debug)
		}
	}
	return nil
}

func (c *serveCmd) secure() bool {
	return c.SecureCookies == "always" || c.SecureCookies == "auto" && c.PublicURL != nil && c.PublicURL.Scheme == "https"
}

func (c *serveCmd) logger() *slog.Logger {
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// listenError says what to do about an address that cannot be had.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use, perhaps by another `patchbay serve`: end that, or choose another port, such as --listen 127.0.0.1:8081", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s is not for ordinary users: choose a port from 1024 on, such as --listen 127.0.0.1:8080", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine: choose one that `ip address` shows, or 0.0.0.0 for all of them", address)
	}
	return fmt.Errorf("listening on %s: %w", address, err)
}

// address is how a browser finds the server.
func (c *serveCmd) address(a net.Addr) string {
	if c.PublicURL != nil {
		return c.PublicURL.Scheme + "://" + c.PublicURL.Host
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// firstAdmin is the login of the admin that the first start makes.
const firstAdmin = "admin"

// welcome prints where the server is and, while nobody could log in as admin
// yet, how to.
func (c *serveCmd) welcome(ctx context.Context, db *sqlite.DB, where string) error {
	n, err := db.CountUsers(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		u := labs.User{Login: firstAdmin, Name: "Administrator", Role: labs.Admin}
		if err := db.CreateUser(ctx, &u, ""); err != nil {
			return fmt.Errorf("making the first admin: %w", err)
		}
		_, secret, err := db.CreateLink(ctx, u.ID, 7*24*time.Hour)
		if err != nil {
			return fmt.Errorf("making the first admin's link: %w", err)
		}
		fmt.Printf("\nThis is the first start. Open this link once, to choose the password of %q:\n\n%s/link/%s\n\n", firstAdmin, where, secret)
		return nil
	}
	_, hash, err := db.UserByLogin(ctx, firstAdmin)
	if err == nil && hash == "" {
		fmt.Printf("\nThe login %q has no password yet. `patchbay user reset-link %s` prints a new link.\n", firstAdmin, firstAdmin)
	}
	fmt.Printf("\nPatchbay is at\n\n%s/\n\n", where)
	return nil
}

// takeStock says which racks run on, and what is missing to start others.
func takeStock(ctx context.Context, f *Folders, racks localRacks, log *slog.Logger) {
	all, err := racks.List(ctx)
	if err != nil {
		log.Warn("looking for racks that run", "err", err)
	}
	running := 0
	for _, r := range all {
		if r.Running {
			running++
		}
	}
	if running > 0 {
		log.Info("found racks that run", "racks", running)
	}
	if _, err := kernel.Find(f.Cache, ""); err != nil {
		log.Warn("labs cannot start: no kernel. Run `patchbay kernel build`; the server need not be restarted", "err", err)
	}
	if _, err := image.Find(f.Cache, ""); err != nil {
		log.Warn("labs cannot start: no image. Run `patchbay image build`; the server need not be restarted", "err", err)
	}
}

// serve answers requests until ctx ends, and then lets those under way finish.
func (c *serveCmd) serve(ctx context.Context, ln net.Listener, handler *web.Server, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute, // starting a rack may take one
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	stopDebug, err := c.serveDebug(&wg, log)
	if err != nil {
		return err
	}
	defer stopDebug()

	failed := make(chan error, 1)
	wg.Go(func() { failed <- server.Serve(ln) })
	log.Info("listening", "address", ln.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	log.Info("shutting down; the racks run on")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("shutting down: %w", err), server.Close())
	}
	return nil
}

// serveDebug serves profiles, when they were asked for, until stop is called.
func (c *serveCmd) serveDebug(wg *sync.WaitGroup, log *slog.Logger) (stop func(), err error) {
	if c.Debug == "" {
		return func() {}, nil
	}
	ln, err := net.Listen("tcp", c.Debug)
	if err != nil {
		return nil, listenError(c.Debug, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	wg.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving profiles", "err", err)
		}
	})
	log.Info("profiles", "url", "http://"+ln.Addr().String()+"/debug/pprof/")
	return func() { _ = server.Close() }, nil
}
