"""The one way out to vendors over HTTP."""
