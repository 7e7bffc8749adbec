"""Whether the web can do its work, for whoever watches it."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def health(request: HttpRequest) -> JsonResponse:
    """200 where the desk answers, else 503. It says nothing that a stranger may not know."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"desk": "unreachable"}, status=503)
    return JsonResponse({"desk": "well"})
