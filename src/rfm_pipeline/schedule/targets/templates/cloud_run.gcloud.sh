#!/bin/sh
# Creates what is missing and updates what exists: the script may be run again at any time, from any folder.
set -eu
cd -- "$(dirname -- "$0")"
gcloud services enable __API__ --project __PROJECT__
__IF_OWN_ACCOUNT__ if ! gcloud iam service-accounts describe __SERVICE_ACCOUNT__ --project __PROJECT__ >/dev/null 2>&1; then
__IF_OWN_ACCOUNT__   gcloud iam service-accounts create __ACCOUNT_NAME__ --project __PROJECT__
__IF_OWN_ACCOUNT__ fi
__IF_REPOSITORY__ if ! gcloud artifacts repositories describe __REPOSITORY__ --project __IMAGE_PROJECT__ --location __IMAGE_LOCATION__ >/dev/null 2>&1; then
__IF_REPOSITORY__   gcloud artifacts repositories create __REPOSITORY__ --project __IMAGE_PROJECT__ --location __IMAGE_LOCATION__ --repository-format docker
__IF_REPOSITORY__ fi
__IF_BUILD__ gcloud builds submit __CHECKOUT__ --project __PROJECT__ --config __BUILD_FILE__
__IF_CONFIG__ if gcloud secrets describe __CONFIG_SECRET__ --project __PROJECT__ >/dev/null 2>&1; then
__IF_CONFIG__   gcloud secrets versions add __CONFIG_SECRET__ --project __PROJECT__ --data-file __CONFIG_FILE__
__IF_CONFIG__ else
__IF_CONFIG__   gcloud secrets create __CONFIG_SECRET__ --project __PROJECT__ --data-file __CONFIG_FILE__
__IF_CONFIG__ fi
## Once for each secret, before the job: a job that can't read its secrets is not created.
gcloud secrets add-iam-policy-binding __SECRET_NAME__ --project __PROJECT__ --member __MEMBER__ --role roles/secretmanager.secretAccessor
# A failed run is repeated as often as maxRetries in the job's file says, and nowhere else: the retries of Cloud Scheduler
# repeat a start that failed.
gcloud run jobs replace __JOB_FILE__ --project __PROJECT__ --region __REGION__
gcloud run jobs add-iam-policy-binding __NAME__ --project __PROJECT__ --region __REGION__ --member __MEMBER__ --role roles/run.invoker
if gcloud scheduler jobs describe __NAME__ --project __PROJECT__ --location __REGION__ >/dev/null 2>&1; then
  gcloud scheduler jobs update http __NAME__ --project __PROJECT__ --location __REGION__ --schedule __CRON__ --time-zone __TIMEZONE__ --uri __START_URI__ --http-method POST --oauth-service-account-email __SERVICE_ACCOUNT__ --max-retry-attempts 3
else
  gcloud scheduler jobs create http __NAME__ --project __PROJECT__ --location __REGION__ --schedule __CRON__ --time-zone __TIMEZONE__ --uri __START_URI__ --http-method POST --oauth-service-account-email __SERVICE_ACCOUNT__ --max-retry-attempts 3
fi
