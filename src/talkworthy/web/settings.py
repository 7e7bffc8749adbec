"""Settings of the web and the worker. What an administrator may set stands in `configuration.py`."""

from pathlib import Path

from talkworthy.web.configuration import configuration, form_targets_of, providers_of

CONFIGURATION = configuration()
BASE_DIR = Path(__file__).resolve().parent
DATA = CONFIGURATION.data

SECRET_KEY = CONFIGURATION.secret_key
DEBUG = CONFIGURATION.debug
ALLOWED_HOSTS = CONFIGURATION.allowed_hosts
CSRF_TRUSTED_ORIGINS = [CONFIGURATION.public_address]
USE_X_FORWARDED_HOST = False
if CONFIGURATION.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # else everybody would share the limits on sign-in of the proxy's own address
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIGURATION.public_address.startswith("https://")
SESSION_COOKIE_NAME = "talkworthy_session"
CSRF_COOKIE_NAME = "talkworthy_csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "talkworthy.workspaces.apps.WorkspacesConfig",
    "talkworthy.notifying.apps.NotifyingConfig",
    "talkworthy.ecosystem.apps.EcosystemConfig",
    "talkworthy.people.apps.PeopleConfig",
    "talkworthy.listening.apps.ListeningConfig",
    "talkworthy.learning.apps.LearningConfig",
    "talkworthy.routing.apps.RoutingConfig",
    "talkworthy.responding.apps.RespondingConfig",
    "talkworthy.web.apps.WebConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "talkworthy.web.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "talkworthy.web.middleware.Membership",
]

ROOT_URLCONF = "talkworthy.web.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "talkworthy.web.context.frame",
            ],
            "builtins": ["talkworthy.web.templatetags.words"],
        },
    }
]

DATABASES = {"default": CONFIGURATION.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "talkworthy.web.accounts.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "talkworthy.web.account_forms.LoginForm",
    "change_password": "talkworthy.web.account_forms.ChangePasswordForm",
    "reset_password": "talkworthy.web.account_forms.ResetPasswordForm",
    "reset_password_from_key": "talkworthy.web.account_forms.ResetPasswordKeyForm",
    "reauthenticate": "talkworthy.web.account_forms.ReauthenticateForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 1  # the one that an administrator gave: a provider signs in whoever owns it
SOCIALACCOUNT_ADAPTER = "talkworthy.web.accounts.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = providers_of(CONFIGURATION.identity_provider)
SIGN_IN_FORM_TARGETS = form_targets_of(CONFIGURATION.identity_provider)
MFA_ADAPTER = "talkworthy.web.accounts.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Talkworthy"

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
STATIC_ROOT = None  # nothing is collected: static files are served from where they are installed
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 3600
MEDIA_ROOT = DATA / "files"
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000_000

EMAIL_BACKEND = CONFIGURATION.email_backend
EMAIL_HOST = CONFIGURATION.email_host
EMAIL_PORT = CONFIGURATION.email_port
EMAIL_HOST_USER = CONFIGURATION.email_user
EMAIL_HOST_PASSWORD = CONFIGURATION.email_password
EMAIL_USE_TLS = CONFIGURATION.email_starttls
EMAIL_FILE_PATH = DATA / "outbox"
DEFAULT_FROM_EMAIL = CONFIGURATION.email_from
SERVER_EMAIL = CONFIGURATION.email_from

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": CONFIGURATION.log_level},
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
