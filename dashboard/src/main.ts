// Starts the pages.
import { mount } from 'svelte';
import './tokens.css';
import './base.css';
import App from './app/App.svelte';
import { router } from './app/router.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
router.start();
mount(App, { target });
