"""Answers with what the sensors of this board read, and who read it."""
import os


def main(params, api):
    return {
        "board": api.getBoardID(),
        "greeting": params.get("greeting"),
        "pid": os.getpid(),
        "sensors": api.context.get("sensors"),
    }
