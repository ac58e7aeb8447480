//! What the cloud and a board say to each other.
