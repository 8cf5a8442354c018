"""The baselines of the webhook path: the least that FastAPI does with the same request."""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.post("/form")
async def form(request: Request) -> Response:
    """Read the form, as most handlers of Twilio's webhooks do first."""
    await request.form()
    return Response("<Response/>", media_type="text/xml")


@app.post("/body")
async def body(request: Request) -> Response:
    """Read the body."""
    await request.body()
    return Response("<Response/>", media_type="text/xml")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error")
