package web

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
)

// addressKey is the address for the purpose of limits: all of an IPv6 /64 is
// one, because one person has all of it.
func addressKey(r *http.Request) string {
	host := address(r)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

type loginForm struct {
	Login, Next string
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if actorOf(r.Context()).known() {
		return redirect(w, r, next)
	}
	return s.render(w, r, http.StatusOK, view{Page: "login", Title: "Log in", Data: loginForm{Next: next}})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	form := loginForm{Login: strings.TrimSpace(r.PostForm.Get("login")), Next: localPath(r.PostForm.Get("next"))}
	u, err := s.checkPassword(r, form.Login, r.PostForm.Get("password"))
	if err != nil {
		if status := statusOf(err); status < 500 {
			return s.render(w, r, status, view{Page: "login", Title: "Log in", Error: labs.MessageOf(err), Data: form})
		}
		return err
	}
	if err := s.logIn(r.Context(), u); err != nil {
		return err
	}
	return redirect(w, r, form.Next)
}

// checkPassword finds who logs in. A login that is unknown, disabled or has no
// password takes as long and reads the same as a wrong password.
func (s *Server) checkPassword(r *http.Request, login, password string) (labs.User, error) {
	ctx := r.Context()
	ip := addressKey(r)
	both := ip + " " + strings.ToLower(login[:min(len(login), 64)])
	if !s.addresses.allow(ip) || !s.logins.allow(both) {
		return labs.User{}, errTooMany("That were too many attempts. Please wait a minute and try again.")
	}
	u, hash, err := s.store.UserByLogin(ctx, login)
	if err != nil && labs.CodeOf(err) != labs.NotFound {
		return labs.User{}, err
	}
	known := err == nil && !u.Disabled
	if !known {
		hash = ""
	}
	ok, upgrade, err := s.passwords.Verify(ctx, hash, password)
	if err != nil {
		return labs.User{}, err
	}
	if !ok || !known {
		return labs.User{}, labs.Errorf(labs.Unauthenticated, "Login or password is wrong.")
	}
	s.logins.forget(both)
	if upgrade {
		s.rehash(ctx, u, hash, password)
	}
	return u, nil
}

// rehash stores a password that was right at today's cost. When that fails the
// log-in goes on and the next one tries again.
func (s *Server) rehash(ctx context.Context, u labs.User, old, password string) {
	hash, err := s.passwords.Hash(ctx, password)
	if err == nil {
		err = s.store.RehashPassword(ctx, u.ID, old, hash)
	}
	if err != nil {
		s.log.Warn("renewing a password's hash", "user", u.Login, "err", err)
	}
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	a := actorOf(r.Context())
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	if a.known() {
		s.live.endSession(a.token)
	}
	return redirect(w, r, "/login")
}

// The one-time link: looking at it changes nothing, so that a mail program
// that follows links does not use it up.

type linkForm struct {
	Secret, Login, Name string
}

var errLink = labs.Errorf(labs.NotFound, "This link has been used, or it is too old. Please ask for a new one.")

func (s *Server) linkPage(w http.ResponseWriter, r *http.Request) error {
	secret, u, err := s.findLink(r)
	if err != nil {
		return err
	}
	return s.renderLink(w, r, http.StatusOK, secret, u, "")
}

func (s *Server) renderLink(w http.ResponseWriter, r *http.Request, status int, secret string, u labs.User, message string) error {
	return s.render(w, r, status, view{Page: "link", Title: "Choose a password", Error: message,
		Data: linkForm{Secret: secret, Login: u.Login, Name: u.Name}})
}

func (s *Server) findLink(r *http.Request) (string, labs.User, error) {
	if !s.addresses.allow(addressKey(r)) {
		return "", labs.User{}, errTooMany("That were too many attempts. Please wait a minute and try again.")
	}
	secret := chi.URLParam(r, "secret")
	u, err := s.store.UserByLink(r.Context(), secret)
	if labs.CodeOf(err) == labs.NotFound {
		err = errLink
	}
	return secret, u, err
}

func (s *Server) useLink(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	secret, u, err := s.findLink(r)
	if err != nil {
		return err
	}
	hash, err := s.newPassword(r)
	if labs.CodeOf(err) == labs.Invalid {
		return s.renderLink(w, r, statusOf(err), secret, u, labs.MessageOf(err))
	}
	if err != nil {
		return err
	}
	if u, err = s.store.UseLink(r.Context(), secret, hash); err != nil {
		if labs.CodeOf(err) == labs.NotFound {
			return errLink
		}
		return err
	}
	s.live.endUser(u.ID)
	if err := s.logIn(r.Context(), u); err != nil {
		return err
	}
	s.flash(r.Context(), "Your password is set. Welcome, "+u.Name+".")
	return redirect(w, r, "/")
}

// newPassword hashes the password of a form that asks for it twice. The error
// has code Invalid when the two differ or it is no good.
func (s *Server) newPassword(r *http.Request) (string, error) {
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return "", labs.Errorf(labs.Invalid, "The two passwords are not the same. Please type them again.")
	}
	return s.passwords.Hash(r.Context(), password)
}

// Joining a course by its code, with an account or without one.

type joinForm struct {
	Code, Login, Name string
}

func (s *Server) joinPage(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, view{Page: "join", Title: "Join a course",
		Data: joinForm{Code: r.URL.Query().Get("code")}})
}

func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	form := joinForm{Code: r.PostForm.Get("code"), Login: r.PostForm.Get("login"), Name: r.PostForm.Get("name")}
	c, err := s.joinAs(r, form)
	if err != nil {
		if status := statusOf(err); status < 500 {
			return s.render(w, r, status, view{Page: "join", Title: "Join a course", Error: labs.MessageOf(err), Data: form})
		}
		return err
	}
	s.flash(r.Context(), "You are in “"+c.Title+"”. Its labs are below.")
	return redirect(w, r, "/")
}

func (s *Server) joinAs(r *http.Request, form joinForm) (labs.Course, error) {
	ctx := r.Context()
	if !s.addresses.allow(addressKey(r)) {
		return labs.Course{}, errTooMany("That were too many attempts. Please wait a minute and try again.")
	}
	if a := actorOf(ctx); a.known() {
		c, err := s.store.Join(ctx, a.ID, form.Code)
		return c, codeError(err)
	}
	u := &labs.User{Login: form.Login, Name: form.Name, Role: labs.Student}
	if err := labs.CleanUser(u); err != nil {
		return labs.Course{}, err
	}
	hash, err := s.newPassword(r)
	if err != nil {
		return labs.Course{}, err
	}
	c, err := s.store.Register(ctx, u, hash, form.Code)
	if err != nil {
		return labs.Course{}, codeError(err)
	}
	return c, s.logIn(ctx, *u)
}

func codeError(err error) error {
	if labs.CodeOf(err) == labs.NotFound {
		return labs.Errorf(labs.NotFound, "No course has that code. Look again at what your instructor wrote: eight letters, such as BCDF-GHJK.")
	}
	return err
}
