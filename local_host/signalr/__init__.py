"""Sends messages to SignalR clients, through an emulator or Azure SignalR Service."""
